import { describe, expect, test } from 'vitest'
import { SHORTCUTS, actionFor } from './shortcuts.ts'

function press(key: string, change: object = {}): Parameters<typeof actionFor>[0] {
  return { key, ctrlKey: false, metaKey: false, altKey: false, target: null, ...change }
}

describe('shortcuts', () => {
  test('no key means two things', () => {
    expect(new Set(SHORTCUTS.map(({ key }) => key)).size).toBe(SHORTCUTS.length)
  })

  test('a key acts, but not with a modifier and not while someone types', () => {
    expect(actionFor(press('m'), true)).toBe('map')
    expect(actionFor(press('m', { ctrlKey: true }), true)).toBeNull()
    expect(actionFor(press('m', { target: { tagName: 'INPUT' } }), true)).toBeNull()
    expect(actionFor(press('m', { target: { tagName: 'INPUT', type: 'checkbox' } }), true)).toBe('map')
    expect(actionFor(press('.', { target: { tagName: 'INPUT', type: 'range' } }), true)).toBe('later')
    expect(actionFor(press('z'), true)).toBeNull()
  })

  test('single keys can be switched off; Escape still closes', () => {
    expect(actionFor(press('m'), false)).toBeNull()
    expect(actionFor(press('Escape'), false)).toBe('close')
  })
})
