import { parseArgs } from 'node:util'
import { settle, troubles } from '../test/lab/support/agreement.ts'
import { onPath, openLab } from '../test/lab/support/namespaces.ts'
import { benchBusy } from './grid/busy.ts'
import { benchCable } from './grid/cable.ts'
import { benchCost } from './grid/cost.ts'
import { benchDeaf } from './grid/deaf.ts'
import { settleSerf, startFleet, type Fleet } from './grid/fleet.ts'
import { benchKill } from './grid/kill.ts'
import { benchStart } from './grid/start.ts'
import { busyBefore, say, tell } from './machine.ts'
import { table, type Figure } from './report.ts'

const HELP = `npm run bench -- grid [options]     needs root, iproute2, nftables and serf (Debian packages)

  --nodes 16        nodes, each in a network namespace of its own
  --rounds 30       nodes killed, one after the other
  --serf-rounds 10  of them, how many take their serf agent along
  --only a,b        of start, cost, kill, cable, deaf, busy
  --quick           a tenth of the time; its figures prove little
  --skip-serf       leave serf out
  --json            print JSON instead of the table

The default run takes about 25 minutes. Figures also go to bench/results/.
`

/** Sixteen nodes in sixteen network namespaces on a bridge, and serf through the same events. */
export async function benchGrid(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      nodes: { type: 'string', default: '16' },
      rounds: { type: 'string' },
      'serf-rounds': { type: 'string' },
      only: { type: 'string', default: 'start,cost,kill,cable,deaf,busy' },
      quick: { type: 'boolean', default: false },
      'skip-serf': { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return void process.stdout.write(HELP)
  const { quick } = values
  const rounds = Number(values.rounds ?? (quick ? 3 : 30))
  const serfRounds = Number(values['serf-rounds'] ?? (quick ? 1 : 10))
  const withSerf = !values['skip-serf'] && onPath('serf')
  if (!values['skip-serf'] && !withSerf) say('serf is missing (Debian package serf): measuring without it')

  const events: Readonly<Record<string, (fleet: Fleet) => Promise<Figure[]>>> = {
    start: benchStart,
    cost: (fleet) => benchCost(fleet, quick ? 5_000 : 20_000, quick ? 10_000 : 60_000),
    kill: (fleet) => benchKill(fleet, rounds, serfRounds),
    cable: (fleet) => benchCable(fleet, quick ? 1 : 3, quick ? 8_000 : 20_000),
    deaf: (fleet) => benchDeaf(fleet, quick ? 15_000 : 90_000),
    busy: (fleet) => benchBusy(fleet, quick ? 60_000 : 600_000),
  }
  const only = values.only.split(',')
  const busy = await busyBefore()
  const figures: Figure[] = []
  const lab = await openLab()
  try {
    const fleet = await startFleet(lab, Number(values.nodes), withSerf)
    if ((await settle(fleet.nodes, 60_000)) === null)
      throw new Error(`the nodes do not agree 60 s after their start\n${await troubles(fleet.nodes)}`)
    if (withSerf && (await settleSerf(fleet, 60_000)) === null) throw new Error('the serf agents do not agree 60 s after their start')
    for (const [name, event] of Object.entries(events)) {
      if (!only.includes(name)) continue
      say(`event: ${name}`)
      for (const node of fleet.nodes) node.unwatch()
      const measured = await event(fleet)
      figures.push(...measured)
      process.stderr.write(`${table(measured)}\n`)
    }
  } finally {
    await lab.close()
  }

  await tell('grid', { ...values, rounds, serfRounds }, busy, figures, values.json)
}
