import type { Action, Schedule } from './schedule.ts'

/** A schedule as a story, a line for each action. */
export function told(schedule: Schedule, numbers: readonly number[] | null): string[] {
  const lines = schedule.actions.map((action, at) => ({
    atMs: action.atMs,
    text: `${clock(action.atMs)}  ${wordsOf(action)}  [${numbers?.[at] ?? at}]`,
  }))
  const heals = schedule.acts.map((act) => ({ atMs: act.healMs, text: `${clock(act.healMs)}  all faults end, and the liars are silent` }))
  const begin = `${clock(0)}  ${schedule.nodes} nodes start`
  return [begin, ...[...lines, ...heals].sort((a, b) => a.atMs - b.atMs).map((line) => line.text)]
}

export function clock(atMs: number): string {
  return `${(atMs / 1_000).toFixed(1).padStart(6)} s`
}

function wordsOf(action: Action): string {
  const span = `for ${(action.forMs / 1_000).toFixed(1)} s`
  switch (action.type) {
    case 'cut':
      return `${names(action.from)} ${action.isOneWay ? 'is not heard by' : 'and'} ${names(action.to)}${action.isOneWay ? '' : ' are cut apart'} ${span}`
    case 'rough':
      return (
        `from ${names(action.from)} to ${names(action.to)}: ${action.lossRatio * 100} % lost, ${action.duplicateRatio * 100} % twice, ` +
        `${action.latencyMs} to ${action.latencyMs + action.jitterMs} ms late, ${span}`
      )
    case 'stall':
      return `n${action.node} is held up ${span}`
    case 'clock':
      return `the wall clock of n${action.node} is set by ${(action.byMs / 3_600_000).toFixed(1)} hours`
    case 'restart':
      return `n${action.node} dies, and starts ${span.replace('for', 'after')} with ${MEMORIES[action.memory](action.ageMs)}`
    case 'join':
      return `${action.count} more join${NATS[action.nat]}; ${span.replace('for', 'after')} they ${action.leave ? 'say goodbye' : 'die'}`
    case 'copy':
      return `a copy of the disk of n${action.node} runs elsewhere ${span}`
    case 'rekey':
      return `n${action.node} changes the grid's key${action.removes ? ', and takes another node out' : ''}`
    case 'targets':
      return `n${action.node} has ${action.count} targets, ${action.state}, ${span}`
    case 'lie':
      return `a node joins and lies (${action.kind}) ${span}`
    case 'flood':
      return `a stranger sends n${action.node} ${action.perSecond} a second (${action.kind}) ${span}`
  }
}

const NATS = {
  none: '',
  datagrams: ' that can only call out',
  streams: ' that can only call out, and by streams',
}

const MEMORIES = {
  kept: () => 'its memory',
  lost: () => 'no memory but its key',
  snapshot: (ageMs: number) => `a snapshot ${ageMs / 1_000} s old`,
}

function names(nodes: readonly number[]): string {
  return nodes.map((node) => `n${node}`).join(' ')
}
