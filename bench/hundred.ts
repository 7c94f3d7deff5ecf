import { freemem } from 'node:os'
import { parseArgs } from 'node:util'
import type { JournalEvent, Rundown } from '../src/contract/index.ts'
import { PLAN } from '../src/sense/index.ts'
import { Crowd, eachInTurn, lastSeqOf, newestSince, statusOf, trafficOf, type CrowdNode } from './hundred/crowd.ts'
import { busyBefore, busyShare, say, sleep, tell } from './machine.ts'
import { quantile, seconds, worst, type Figure } from './report.ts'

const HELP = `npm run bench -- hundred [options]     many real nodes on this one machine, on loopback

  --nodes 100        processes
  --minutes 5        how long they are watched once they agree
  --probe-every 10s  time between probes of each other node
  --json             print JSON instead of the table

Everyone probes everyone, so a hundred nodes at the usual second would send 9,900 probes a second, and two cores have to send,
seal, open, answer and judge each of them. At 10 s that is 990, and the rest is gossip.
The default run takes about a quarter of an hour, half of it to start.
Figures also go to bench/results/.
`

const SETTLE_MS = 600_000
const KILL_MS = 60_000
/** Nodes started at a time: one by one each of them would be a change of its own to all that are there. */
const AT_ONCE = 10
/** Nobody asks the nodes anything for so long: what they cost by themselves. */
const QUIET_MS = 60_000
const SWEEP_EVERY_MS = 20_000

/** A hundred nodes, as processes, on one machine: what they agree on, what they cost, and whom they accuse. */
export async function benchHundred(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      nodes: { type: 'string', default: '100' },
      minutes: { type: 'string', default: '5' },
      'probe-every': { type: 'string', default: '10s' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return void process.stdout.write(HELP)
  const busy = await busyBefore()
  const freeBytes = freemem()
  const crowd = await Crowd.open(values['probe-every'])
  const figures: Figure[] = []
  const add = (event: string, midwatch: string, bar = '', pass: boolean | null = null, raw: Figure['raw'] = {}): void => {
    figures.push({ event, bar, midwatch, serf: '-', pass, raw })
    say(`${event.trim()}: ${midwatch}`)
  }
  try {
    const { startMs, settleMs, troubled } = await start(crowd, Number(values.nodes))
    add(`${values.nodes} nodes started, ten at a time, a probe each ${values['probe-every']}`, seconds(startMs))
    add('  from the last start: everyone up on all, one hash', seconds(settleMs), '', settleMs !== null)
    add('  links that lost probes during the start', `${troubled}`)
    if (settleMs === null) throw new Error(`not one hash after ${SETTLE_MS / 1_000} s`)
    const watched = await watch(crowd.nodes, Number(values.minutes) * 60_000)
    add(
      `${values.minutes} min: sweeps over all nodes that found one hash`,
      `${watched.sweeps - watched.apart} of ${watched.sweeps}`,
      'all',
      watched.apart === 0,
    )
    add(
      '  false verdicts: nodes down, nodes suspected for a moment',
      `${watched.down.length}, ${watched.suspected}`,
      '0 down',
      watched.down.length === 0,
      {
        down: watched.down,
      },
    )
    add('  false verdicts: links', `${watched.links.length}`, '0', watched.links.length === 0, { links: watched.links.slice(0, 200) })
    const { cost } = watched
    add('cost of a node: processor', spread(cost.cpuPercent, '% of a core', 2), '', null, { cpuPercent: cost.cpuPercent })
    add('  resident memory', spread(cost.residentMb, 'MB', 0))
    add('  sends', `${spread(cost.kilobytesPerSecond, 'kB/s', 1)}; ${spread(cost.datagramsPerSecond, 'datagrams/s', 1)}`)
    add('  of them probes and repeats', spread(cost.probesPerSecond, 'a second', 1))
    const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
    add(
      'cost of all: processor',
      `${(sum(cost.cpuPercent) / 100).toFixed(2)} cores; the machine was ${Math.round(cost.busyShare * 100)} % busy`,
    )
    const takenGb = ((freeBytes - cost.freeBytes) / 2 ** 30).toFixed(1)
    add(
      '  memory',
      `${takenGb} GB less is free than before; resident sizes, which count shared pages each time, make ${(sum(cost.residentMb) / 1_024).toFixed(1)} GB`,
    )
    const knewMs = await killOne(crowd.nodes)
    add(
      'a node is killed: all know',
      `p50 ${seconds(quantile(knewMs, 0.5))}, worst ${seconds(worst(knewMs))}`,
      '',
      worst(knewMs) !== null,
      { knewMs },
    )
  } finally {
    say('ending all nodes')
    await crowd.close()
  }
  await tell('hundred', values, busy, figures, values.json)
}

async function start(crowd: Crowd, count: number): Promise<{ startMs: number; settleMs: number | null; troubled: number | null }> {
  const startedMs = performance.now()
  await crowd.add()
  while (crowd.nodes.length < count) {
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, count - crowd.nodes.length) }, () => crowd.add()))
    const cpuSeconds = crowd.nodes.reduce((sum, { process }) => sum + process.cost().cpuSeconds, 0)
    say(`${crowd.nodes.length} of ${count} nodes are ready; they used ${Math.round(cpuSeconds)} s of processor time so far`)
  }
  const readyMs = performance.now()
  let said = ''
  while (performance.now() - readyMs < SETTLE_MS) {
    const last = await statusOf(crowd.nodes.at(-1) as CrowdNode)
    // One that does not know all yet speaks for the rest, and spares asking a hundred.
    if (isWhole(last, count)) {
      const all = await eachInTurn(crowd.nodes, statusOf)
      if (all.every((status) => isWhole(status, count) && status.hash === last.hash))
        return { startMs: readyMs - startedMs, settleMs: performance.now() - readyMs, troubled: last.counts.linksTroubled }
    }
    const { nodes, nodesUp, links, linksTroubled } = last.counts
    const news = `the last one knows ${nodes} nodes, ${nodesUp} up, and ${links} links, ${linksTroubled} of them troubled`
    if (news !== said) say(news)
    said = news
    await sleep(1_000)
  }
  return { startMs: readyMs - startedMs, settleMs: null, troubled: null }
}

/** Links are another matter: one that lost probes while all were starting stays lossy until sixty were answered. */
function isWhole({ counts }: Rundown, count: number): boolean {
  return counts.nodes === count && counts.nodesUp === count && (count > PLAN.fullMeshNodes || counts.links === count * (count - 1))
}

async function watch(nodes: readonly CrowdNode[], forMs: number) {
  const seqs = await eachInTurn(nodes, lastSeqOf)
  const startMs = performance.now()
  const cost = await costOf(nodes, Math.min(QUIET_MS, forMs / 2))
  let [sweeps, apart] = [0, 0]
  while (performance.now() - startMs < forMs) {
    const sweptMs = performance.now()
    const hashes = new Set((await eachInTurn(nodes, statusOf)).map(({ hash }) => hash))
    sweeps++
    if (hashes.size > 1) apart++
    say(`${Math.round((performance.now() - startMs) / 1_000)} s: ${hashes.size === 1 ? 'one hash' : `${hashes.size} hashes`} on all`)
    await sleep(Math.max(0, Math.min(startMs + forMs, sweptMs + SWEEP_EVERY_MS) - performance.now()))
  }
  const accused: { by: string; at: string; text: string; event: JournalEvent }[] = []
  for (const [i, node] of nodes.entries()) {
    for (const { at, text, event } of await newestSince(node, seqs[i] ?? 0))
      if (isAccusation(event)) accused.push({ by: node.id, at, text, event })
  }
  const told = ({ by, at, text }: (typeof accused)[number]): string => `${by} at ${at}: ${text}`
  const down = accused.filter(({ event }) => event.type === 'member.changed' && event.to === 'down')
  const links = accused.filter(({ event }) => event.type === 'link.changed')
  return { cost, sweeps, apart, down: down.map(told), suspected: accused.length - down.length - links.length, links: links.map(told) }
}

const WELL: ReadonlySet<string> = new Set(['up', 'unknown'])
function isAccusation(event: JournalEvent): boolean {
  return (event.type === 'member.changed' || event.type === 'link.changed') && !WELL.has(event.to)
}

/** What the nodes cost while nobody asks them anything. */
async function costOf(nodes: readonly CrowdNode[], forMs: number) {
  const trafficBefore = await eachInTurn(nodes, async (node) => ({ ...(await trafficOf(node)), atMs: performance.now() }))
  // What the question itself cost is over by then.
  await sleep(2_000)
  const before = nodes.map(({ process }) => process.cost())
  const beforeMs = performance.now()
  const share = await busyShare(forMs)
  const tookMs = performance.now() - beforeMs
  const after = nodes.map(({ process }) => process.cost())
  const freeBytes = freemem()
  const rates = (await eachInTurn(nodes, async (node) => ({ ...(await trafficOf(node)), atMs: performance.now() }))).map((now, i) => {
    const then = trafficBefore[i] ?? now
    const perSecond = (what: 'bytes' | 'datagrams' | 'probes'): number =>
      ((now[what] - then[what]) * 1_000) / Math.max(1, now.atMs - then.atMs)
    return { bytes: perSecond('bytes'), datagrams: perSecond('datagrams'), probes: perSecond('probes') }
  })
  return {
    busyShare: share,
    freeBytes,
    cpuPercent: after.map((cost, i) => ((cost.cpuSeconds - (before[i]?.cpuSeconds ?? 0)) * 100_000) / tookMs),
    residentMb: after.map((cost) => cost.residentBytes / 1_048_576),
    kilobytesPerSecond: rates.map(({ bytes }) => bytes / 1_000),
    datagramsPerSecond: rates.map(({ datagrams }) => datagrams),
    probesPerSecond: rates.map(({ probes }) => probes),
  }
}

/** SIGKILL for the one in the middle. When each of the others knew stands in its journal, by the clock that all of them share. */
async function killOne(nodes: readonly CrowdNode[]): Promise<(number | null)[]> {
  const victim = nodes[Math.floor(nodes.length / 2)] as CrowdNode
  const others = nodes.filter((node) => node !== victim)
  const killedAtMs = Date.now()
  await victim.process.kill()
  const knewMs = new Map<CrowdNode, number>()
  while (knewMs.size < others.length && Date.now() - killedAtMs < KILL_MS) {
    await sleep(5_000)
    for (const node of others.filter((other) => !knewMs.has(other))) {
      const entries = await newestSince(node, 0)
      const knew = entries.find(
        ({ at, event }) => event.type === 'member.changed' && event.id === victim.id && event.to === 'down' && Date.parse(at) >= killedAtMs,
      )
      if (knew) knewMs.set(node, Date.parse(knew.at) - killedAtMs)
    }
  }
  return others.map((node) => knewMs.get(node) ?? null)
}

function spread(values: readonly number[], unit: string, digits: number): string {
  const mean = values.reduce((total, value) => total + value, 0) / Math.max(1, values.length)
  return `mean ${mean.toFixed(digits)}, worst ${Math.max(...values).toFixed(digits)} ${unit}`
}
