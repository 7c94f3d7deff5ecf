import { type JournalEntry, type JournalEvent, type TimelineEntry, TROUBLED } from '../contract/index.ts'
import { listText } from './words.ts'

type Told = Pick<TimelineEntry, 'text' | 'tone'>

/** One journal entry as a line for people. */
export function timelineText({ event }: JournalEntry): Told {
  switch (event.type) {
    case 'node.started':
      return plain(`${event.id} (site ${event.site}) started, Midwatch ${event.program}.`)
    case 'node.stopped':
      return plain(`This node stopped: ${event.reason}.`)
    case 'member.changed':
      return memberText(event)
    case 'link.changed':
      return linkText(event)
    case 'observer.degraded':
      return degradedText(event)
    case 'id.conflict':
      return bad(`Two nodes want to be called ${event.wanted}; one of them is shown as ${event.shown}.`)
    case 'row.forked':
      return bad(
        `${event.id} signed two different rows with one version (${event.incarnation}.${event.version}): its key may be in use twice.`,
      )
    case 'node.lied':
      return bad(
        event.lie === 'too-large' ? `${event.id} signed a row that is too large.` : `${event.id} sent a row that its owner did not sign.`,
      )
    case 'node.removed':
      return plain(`${event.id} was removed from the grid on ${event.by}.`)
    case 'key.changed':
      return plain(`The grid has a new key (${event.key}, number ${event.generation}), made on ${event.by}.`)
    case 'grid.removed':
      return bad(`This node was removed from the grid on ${event.by}.`)
    case 'invitation.made':
      return plain(`An invitation was made, good until ${event.expiresAt.slice(11, 19)} UTC.`)
    case 'invitation.used':
      return good(`An invitation was used by ${event.by.slice(0, 8)}.`)
    case 'invitation.refused':
      return bad(`An attempt to join was refused: ${event.reason}.`)
    case 'fault.switched':
      return plain(`Simulated fault ${event.fault} switched ${event.on ? 'on' : 'off'}.`)
  }
}

function memberText({ id, site, from, to }: Extract<JournalEvent, { type: 'member.changed' }>): Told {
  switch (to) {
    case 'up':
      if (from === null || from === 'left') return good(`${id} (site ${site}) joined.`)
      return from === 'suspect' ? plain(`${id} answers again; it was only quiet.`) : good(`${id} is back.`)
    case 'suspect':
      return plain(`${id} has gone quiet; the others are asking it again.`)
    case 'down':
      return bad(`${id} is down.`)
    case 'left':
      return plain(`${id} left the grid.`)
  }
}

function linkText(event: Extract<JournalEvent, { type: 'link.changed' }>): Told {
  const { fromNode, toName, from, to, dead, detail } = event
  const because = detail === null || to === 'up' ? '' : ` (${detail})`
  if (to === 'up')
    return from === 'unknown' ? good(`${fromNode} reaches ${toName}.`) : good(`${fromNode} reaches ${toName} again; it was ${from}.`)
  if (to === 'one-way') {
    const [source, sink] = dead === 'in' ? [toName, fromNode] : [fromNode, toName]
    return bad(`Packets from ${source} to ${sink} are lost; the other way they arrive${because}.`)
  }
  const text = `${fromNode} to ${toName}: ${to}, was ${from}${because}.`
  return TROUBLED.has(to) ? bad(text) : plain(text)
}

function degradedText({ id, reasons }: Extract<JournalEvent, { type: 'observer.degraded' }>): Told {
  if (reasons.length === 0) return good(`${id} can trust its own measurements again.`)
  const words = {
    'hears-nobody': 'hears nobody',
    busy: 'is too busy to measure well',
    'socket-drops': 'drops packets that reached it',
  } as const
  return bad(`${id} ${listText(reasons.map((reason) => words[reason]))}.`)
}

const good = (text: string): Told => ({ text, tone: 'good' })
const bad = (text: string): Told => ({ text, tone: 'bad' })
const plain = (text: string): Told => ({ text, tone: 'plain' })
