import type { View } from './model/route.ts'

export type Action = View | 'help' | 'invite' | 'next' | 'close' | 'theme' | 'filter' | 'past' | 'earlier' | 'later'

export const SHORTCUTS: readonly { readonly key: string; readonly action: Action; readonly words: string }[] = [
  { key: 'm', action: 'map', words: 'Map' },
  { key: 'x', action: 'matrix', words: 'Matrix: who sees whom' },
  { key: 't', action: 'table', words: 'Table of links' },
  { key: 'c', action: 'changes', words: 'Changes' },
  { key: 'n', action: 'next', words: 'Next thing that is wrong' },
  { key: 'p', action: 'past', words: 'The past, and back' },
  { key: ',', action: 'earlier', words: 'The change before' },
  { key: '.', action: 'later', words: 'The change after' },
  { key: '/', action: 'filter', words: 'Filter' },
  { key: 'i', action: 'invite', words: 'Invite a host' },
  { key: 'd', action: 'theme', words: 'Light, dark or as the system' },
  { key: '?', action: 'help', words: 'This help' },
  { key: 'Escape', action: 'close', words: 'Close the open link or node, then the past' },
]

type Pressed = Pick<KeyboardEvent, 'key' | 'ctrlKey' | 'metaKey' | 'altKey' | 'target'>

/** What a key press means; null while someone types, with a modifier, or when single keys are switched off. Escape always closes. */
export function actionFor(event: Pressed, singleKeys: boolean): Action | null {
  if (event.ctrlKey || event.metaKey || event.altKey) return null
  const { tagName, type } = (event.target ?? {}) as { tagName?: string; type?: string }
  if ((tagName === 'INPUT' && type !== 'checkbox' && type !== 'range') || tagName === 'SELECT' || tagName === 'TEXTAREA') return null
  if (!singleKeys && event.key !== 'Escape') return null
  return SHORTCUTS.find(({ key }) => key === event.key)?.action ?? null
}
