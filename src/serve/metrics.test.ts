import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readFileSync } from 'node:fs'
import { BEARER, ask, startServer, type TestServer } from '../../test/support/serve-fixture.ts'
import { exposition } from './metrics.ts'

const NAME = /^[a-z_:][a-z0-9_:]*$/
const LINE = /^([a-z_:][a-z0-9_:]*)(\{(?:[a-z_]\w*="(?:[^"\\\n]|\\["\\n])*",?)*\})? (NaN|[+-]Inf|-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/

describe('/metrics', () => {
  let server: TestServer
  let text: string
  beforeAll(async () => {
    server = await startServer()
    await ask(server, '/healthz')
    const answer = await ask(server, '/metrics', { headers: BEARER })
    expect(answer.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8')
    text = answer.text
  })
  afterAll(() => server.close())

  it("is Prometheus' text format: each name once, help and type before its values", () => {
    expect(text.endsWith('\n')).toBe(true)
    const seen = new Set<string>()
    let current = ''
    for (const line of text.trimEnd().split('\n')) {
      const [, comment, name] = /^# (HELP|TYPE) (\S+)/.exec(line) ?? []
      if (comment === 'HELP') {
        expect(name).toMatch(NAME)
        expect(seen.has(name as string)).toBe(false)
        seen.add((current = name as string))
      } else if (comment === 'TYPE') expect(line).toMatch(new RegExp(`^# TYPE ${current} (counter|gauge)$`))
      else expect(LINE.exec(line)?.[1]).toBe(current)
    }
  })

  it('counts its own answers', () => {
    expect(text).toContain('midwatch_http_answers_total{code="200"} 1\n')
    expect(text).toMatch(/^midwatch_http_connections \d+$/m)
  })

  it("escapes what would break a line, and passes the node's figures on", () => {
    expect(text).toContain('midwatch_probes_total{kind="udp"} 42\n')
    expect(text).toContain('midwatch_odd{text="say \\"hi\\"\\\\\\n"} NaN\n')
  })

  it('keeps the first of two metrics with one name', () => {
    const metric = (value: number) => ({ name: 'midwatch_x', help: 'x', type: 'gauge' as const, values: [{ value }] })
    expect(exposition([metric(1), metric(2)])).toBe('# HELP midwatch_x x\n# TYPE midwatch_x gauge\nmidwatch_x 1\n')
  })

  it('the dashboard in docs asks only for figures that there are', () => {
    const dashboard = readFileSync(new URL('../../docs/grafana-dashboard.json', import.meta.url), 'utf8')
    const asked = new Set(dashboard.match(/midwatch_\w+/g))
    expect(asked.size).toBeGreaterThan(3)
    expect([...asked].filter((name) => !text.includes(`# TYPE ${name} `) && !FROM_NODE.has(name))).toEqual([])
  })
})

/** What node/ adds to what is made here. */
const FROM_NODE = new Set([
  'midwatch_link_state',
  'midwatch_link_loss_ratio',
  'midwatch_link_rtt_seconds',
  'midwatch_node_state',
  'midwatch_resident_memory_bytes',
  'midwatch_cpu_seconds_total',
  'midwatch_datagrams_sent_total',
  'midwatch_datagrams_received_total',
])
