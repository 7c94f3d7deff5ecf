import { asMidwatchError, Doctor, type Check } from '../contract/index.ts'
import { findNode } from './client.ts'
import { findOptions, type CommandSpec } from './command.ts'
import { clean, table } from './output.ts'

export const command: CommandSpec = {
  name: 'doctor',
  summary: 'check what a node needs on this machine, and the node if it runs',
  examples: [
    ['midwatch doctor', 'each check, and what to do where one fails'],
    ['midwatch doctor --json', 'to go with a report of a problem'],
  ],
  options: async () => findOptions,
  run: async (call) => {
    const { out } = call
    const { localChecks } = await import('./local-checks.ts')
    const answers = await findNode(call)
      .then(async (client) => (await client.get('/api/doctor', Doctor)).checks)
      .catch((error: unknown) => asMidwatchError(error))
    const runs = Array.isArray(answers)
    const node: Check[] = runs ? answers : [{ name: 'node', ok: false, found: answers.message, next: answers.next }]
    // With --url the node may be on another host, and this host's health says nothing of it.
    const local = call.options['url'] === undefined ? await localChecks(call, runs) : []
    const checks = [...local, ...node]
    const ok = checks.every((check) => check.ok)
    if (call.json) out.json({ ok, checks } satisfies Doctor & { ok: boolean })
    else {
      const rows = checks.map((check) => [
        { text: check.ok ? '✓ ok' : '✗ not ok', tone: check.ok ? ('good' as const) : ('bad' as const) },
        check.name,
        check.found,
      ])
      table(out, rows).forEach((line, i) => {
        out.line(line)
        const next = checks[i]?.next
        if (next) out.line(`            → ${clean(next)}`)
      })
    }
    return ok ? 0 : 1
  },
}
