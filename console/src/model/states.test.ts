import { describe, expect, test } from 'vitest'
import { LINK_DETAILS, Lie, LinkState, NodeState, TROUBLED, cannotBeProbed } from '../../../src/contract/index.ts'
import { link } from './fixture.ts'
import {
  LOOKS,
  STATES,
  UNPROBEABLE,
  anyUnprobeable,
  isTroubled,
  isUnprobeable,
  lieSentences,
  lookOf,
  milliseconds,
  nodeLook,
  percent,
  stateWords,
  worst,
} from './states.ts'

describe('how states look', () => {
  test('every state of the contract has a look, and what needs a person is the same as there', () => {
    expect(new Set(STATES)).toEqual(new Set(LinkState.options))
    for (const state of LinkState.options) expect(isTroubled(state)).toBe(TROUBLED.has(state))
  })

  test('no two states share a mark, nor a line: colour is never the only difference', () => {
    const looks = Object.values(LOOKS)
    expect(new Set(looks.map(({ mark }) => mark)).size).toBe(looks.length)
    expect(new Set(looks.map(({ dash, widthPx, arrow }) => `${dash.join(' ')} ${widthPx} ${arrow}`)).size).toBe(looks.length)
  })

  test('every node state has a mark of its own', () => {
    const marks = NodeState.options.map((state) => nodeLook(state).mark)
    expect(new Set(marks).size).toBe(marks.length)
  })

  test('the worst of several is found; of none there is none', () => {
    expect(worst(['up', 'lossy', 'down', 'slow'])).toBe('down')
    expect(worst(['up', 'unknown'])).toBe('unknown')
    expect(worst([])).toBeNull()
  })
})

describe('states in words', () => {
  test('each state reads as a phrase that begins with its word', () => {
    for (const state of LinkState.options) expect(stateWords(link('a', 'b', { state }))).toMatch(new RegExp(`^${state}: .+`))
  })

  test('a one-way link says which direction is dead', () => {
    expect(stateWords(link('a', 'b', { state: 'one-way', dead: 'out' }))).toContain('nothing that a sends reaches b')
    expect(stateWords(link('a', 'b', { state: 'one-way', dead: 'in' }))).toContain('b hears a, but nothing comes back')
  })

  test('a link that is down says why, where that is known', () => {
    expect(stateWords(link('a', 'shop', { state: 'down', detail: 'status 503, wanted 200' }))).toBe('down: status 503, wanted 200')
  })

  test('a link that nobody can probe is told apart from one that was not probed yet, and is no trouble', () => {
    const silent = link('a', 'n', { state: 'unknown', detail: 'cannot be probed: n only calls out' })
    expect(stateWords(silent)).toBe('unknown: cannot be probed: n only calls out')
    expect(lookOf(silent)).toBe(UNPROBEABLE)
    expect(UNPROBEABLE.severity).toBeLessThan(LOOKS.up.severity)
    expect(lookOf(link('a', 'n', { state: 'unknown' }))).toBe(LOOKS.unknown)
    expect(anyUnprobeable([link('a', 'b'), silent])).toBe(true)
    expect(anyUnprobeable([link('a', 'b')])).toBe(false)
    for (const state of LinkState.options)
      for (const toType of ['node', 'target'] as const)
        for (const detail of [null, 'no answer', ...Object.values(LINK_DETAILS)]) {
          const each = link('a', 'n', { state, toType, detail })
          expect(isUnprobeable(each)).toBe(cannotBeProbed(each))
        }
  })

  test('each lie has its own sentence', () => {
    const sentences = lieSentences({ lies: Lie.options })
    expect(new Set(sentences).size).toBe(Lie.options.length)
    expect(lieSentences({ lies: [] })).toEqual([])
  })

  test.each([
    [0, '0 %'],
    [0.0004, '<0.1 %'],
    [0.034, '3.4 %'],
    [0.31, '31 %'],
    [1, '100 %'],
  ])('the ratio %d is %s', (ratio, words) => {
    expect(percent(ratio)).toBe(words)
  })

  test.each([
    [0.412, '0.41 ms'],
    [12.34, '12.3 ms'],
    [340.4, '340 ms'],
    [1_250, '1.3 s'],
  ])('%d ms is %s', (value, words) => {
    expect(milliseconds(value)).toBe(words)
  })
})
