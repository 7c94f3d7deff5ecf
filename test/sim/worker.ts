// One process that plays the choices it is sent. A process of its own, so that a run that hangs or eats memory can be ended.
import { editModules } from './edits.ts'

editModules(process.env['MIDWATCH_SIM_WITHOUT'] ?? null)
const { run } = await import('./run.ts')

let last: Promise<unknown> = Promise.resolve()
process.on('message', (choice: Parameters<typeof run>[0]) => {
  last = last.then(async () => process.send?.(await run(choice)))
})
process.on('disconnect', () => process.exit())
