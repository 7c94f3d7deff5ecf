import type { TimelineEntry } from '../../../src/contract/index.ts'
import type { Selection } from './route.ts'

/** What a line of the timeline is about, where that can be opened. */
export function subject({ event }: TimelineEntry): Selection | null {
  switch (event.type) {
    case 'link.changed':
      return { type: 'link', from: event.fromNode, to: event.toName }
    case 'member.changed':
    case 'observer.degraded':
    case 'row.forked':
    case 'node.lied':
      return { type: 'node', id: event.id }
    case 'id.conflict':
      return { type: 'node', id: event.shown }
    default:
      return null
  }
}

export function filterChanges(entries: readonly TimelineEntry[], filter: string): readonly TimelineEntry[] {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean)
  if (words.length === 0) return entries
  return entries.filter((entry) => {
    const about = subject(entry)
    const names = about === null ? '' : about.type === 'link' ? `${about.from} ${about.to}` : about.id
    const text = `${entry.text} ${names}`.toLowerCase()
    return words.every((word) => text.includes(word))
  })
}
