import { describe, expect, test } from 'vitest'
import { LIMITS, MidwatchError } from '../../contract/index.ts'
import { findDataDir, loadSettings, type Flags, type Loaded } from './load.ts'

type Machine = { flags?: Flags; env?: Record<string, string>; files?: Record<string, string>; isRoot?: boolean; hostname?: string }

const KEY = 'ab'.repeat(32)

function request({ flags = {}, env = {}, files = {}, isRoot = false, hostname = 'vm-1' }: Machine): Parameters<typeof loadSettings>[0] {
  const readFile = (path: string, maxBytes: number): string | null => {
    const text = files[path] ?? null
    if (text !== null && text.length > maxBytes) throw new Error(`the file is larger than ${maxBytes} bytes`)
    return text
  }
  return { flags, env, cwd: '/work', home: '/home/ann', isRoot, hostname, readFile }
}

const load = (machine: Machine): Promise<Loaded> => loadSettings(request(machine))

async function failure(machine: Machine): Promise<MidwatchError> {
  try {
    await load(machine)
  } catch (error) {
    if (error instanceof MidwatchError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

const yaml = (text: string): Machine => ({ files: { '/work/midwatch.yaml': text } })

describe('where a setting comes from', () => {
  test('flags go over the environment, over the file, over defaults', async () => {
    const files = { '/work/midwatch.yaml': 'site: from-file\nid: from-file\nprobeEvery: 3s\n' }
    const { settings, file } = await load({
      files,
      env: { MIDWATCH_SITE: 'from-env', MIDWATCH_ID: 'from-env' },
      flags: { site: 'from-flag' },
    })
    expect(settings).toMatchObject({ site: 'from-flag', id: 'from-env', probeEveryMs: 3_000, listen: '0.0.0.0:8777' })
    expect(file).toBe('/work/midwatch.yaml')
  })

  test('without anything there is a node with the host name and the usual data folder', async () => {
    expect((await load({})).settings).toMatchObject({
      id: 'vm-1',
      site: 'home',
      data: '/home/ann/.local/share/midwatch',
      join: [],
      targets: [],
    })
    expect((await load({ isRoot: true })).settings.data).toBe('/var/lib/midwatch')
    expect((await load({})).gridKeyHex).toBeNull()
  })

  test('a host name that is no label becomes one', async () => {
    expect((await load({ hostname: '-my host!' })).settings.id).toBe('my-host-')
    expect((await load({ hostname: '' })).settings.id).toBe('node')
  })

  test.each([
    ['--config', { flags: { config: 'other.yaml' } }, '/work/other.yaml'],
    ['MIDWATCH_CONFIG', { env: { MIDWATCH_CONFIG: '~/other.yaml' } }, '/home/ann/other.yaml'],
    ['the working directory', {}, '/work/midwatch.yaml'],
    ['the data folder', { flags: { data: 'd' } }, '/work/d/midwatch.yaml'],
    ['/etc', {}, '/etc/midwatch/midwatch.yaml'],
  ])('the file is found by %s', async (_, machine: Machine, path) => {
    const found = await load({ ...machine, files: { [path]: 'site: fra', '/etc/midwatch/midwatch.yaml': 'site: fra' } })
    expect(found).toMatchObject({ file: path, settings: { site: 'fra' } })
  })

  test('a file that was named has to be there', async () => {
    expect(await failure({ flags: { config: 'gone.yaml' } })).toMatchObject({
      code: 'MW_CONFIG_FILE',
      message: '/work/gone.yaml: there is no such file',
    })
  })

  test('an empty variable and an empty key count as not set', async () => {
    expect((await load({ env: { MIDWATCH_SITE: '' }, ...yaml('site:\n') })).settings.site).toBe('home')
  })

  test('the environment writes lists with commas, switches in words, numbers in digits and targets as JSON', async () => {
    const { settings } = await load({
      env: {
        MIDWATCH_JOIN: 'a:1, b:2,',
        MIDWATCH_EPHEMERAL: 'yes',
        MIDWATCH_METRICS: '0',
        MIDWATCH_STORAGE_MB: '64',
        MIDWATCH_PROBE_EVERY: '250ms',
        MIDWATCH_TARGETS: '[{"kind":"tcp","name":"db","host":"10.0.0.9","port":5432,"every":"30s"}]',
      },
    })
    expect(settings).toMatchObject({ join: ['a:1', 'b:2'], ephemeral: true, metrics: false, storageMb: 64, probeEveryMs: 250 })
    expect(settings.targets).toEqual([{ kind: 'tcp', name: 'db', host: '10.0.0.9', port: 5432, everyMs: 30_000, timeoutMs: 5_000 }])
  })

  test('a flag that is given several times adds up', async () => {
    expect((await load({ flags: { join: ['a:1', 'b:2,c:3'] } })).settings.join).toEqual(['a:1', 'b:2', 'c:3'])
  })

  test('paths count from what names them', async () => {
    const files = { '/etc/mw.yaml': 'tlsCert: cert.pem\ntlsKey: ~/key.pem\ntargets: [{kind: tls, name: t, host: h, caFile: ca.pem}]' }
    const { settings } = await load({ flags: { config: '/etc/mw.yaml', data: 'd' }, files })
    expect(settings).toMatchObject({ tlsCert: '/etc/cert.pem', tlsKey: '/home/ann/key.pem', data: '/work/d' })
    expect(settings.targets[0]).toMatchObject({ caFile: '/etc/ca.pem' })
  })

  test('YAML anchors spare repetition among targets', async () => {
    const { settings } = await load(yaml('targets:\n  - &usual {kind: icmp, name: a, host: a, every: 1m}\n  - {<<: *usual, name: b}\n'))
    expect(settings.targets.map(({ name, everyMs }) => [name, everyMs])).toEqual([
      ['a', 60_000],
      ['b', 60_000],
    ])
  })

  test('commands find the data folder that the file names, though other settings are wrong', async () => {
    expect(await findDataDir(request(yaml('data: d\nsite: 7\n')))).toBe('/work/d')
    expect(await findDataDir(request({ ...yaml('data: d'), env: { MIDWATCH_DATA: '/e' } }))).toBe('/e')
    expect(await findDataDir(request({}))).toBe('/home/ann/.local/share/midwatch')
  })
})

describe('what will not do', () => {
  const messages: [what: string, machine: Machine, message: string][] = [
    ['a flag', { flags: { site: 'a b' } }, 'site (flag --site): "a b" will not do; use letters, digits and'],
    [
      'a variable',
      { env: { MIDWATCH_LISTEN: '8777' } },
      'listen (environment MIDWATCH_LISTEN): "8777" will not do; write host:port, such as',
    ],
    ['an item of a list', { env: { MIDWATCH_JOIN: 'a:1,b' } }, 'join[1] (environment MIDWATCH_JOIN): "b" will not do; write host:port'],
    [
      'a line of the file',
      yaml('id: x\nprobeEvery: 1 week\n'),
      'probeEvery (/work/midwatch.yaml:2:13): "1 week" will not do; write a duration such as',
    ],
    [
      'a duration without a unit',
      yaml('probeEvery: 1000'),
      'probeEvery (/work/midwatch.yaml:1:13): 1000 will not do; write a duration such as',
    ],
    ['a duration out of bounds', { flags: { probeEvery: '1ms' } }, '"1ms" will not do; write a duration from 100ms to 1h'],
    ['a number', { env: { MIDWATCH_STORAGE_MB: 'lots' } }, '"lots" will not do; write a whole number'],
    ['a number out of bounds', yaml('storageMb: 3'), '3 will not do; use at least 16'],
    ['a switch', { env: { MIDWATCH_OPEN: 'maybe' } }, '"maybe" will not do; write true or false'],
    ['text that YAML takes for a number', yaml('site: 12'), '12 will not do; put quotes around it: "12"'],
    ['a choice', yaml('logLevel: wran'), '"wran" will not do; write one of: debug, info, warn, error, silent (did you mean warn?)'],
    ['advertise', { flags: { advertise: 'me' } }, 'advertise (flag --advertise): "me" will not do; write auto, none, or host:port'],
    [
      'an unknown key',
      yaml('id: x\nprobEvery: 1s'),
      'probEvery (/work/midwatch.yaml:2:1): there is no such setting; did you mean probeEvery?',
    ],
    [
      'a name of the code',
      yaml('probeEveryMs: 1000'),
      'probeEveryMs (/work/midwatch.yaml:1:1): there is no such setting; did you mean probeEvery?',
    ],
    [
      'an unknown variable',
      { env: { MIDWATCH_STIE: 'x' } },
      'MIDWATCH_STIE (environment): nothing reads this variable; did you mean MIDWATCH_SITE?',
    ],
    [
      'a kind of target',
      yaml('targets:\n  - {name: x, kind: tpc}'),
      'targets[0].kind (/work/midwatch.yaml:2:21): "tpc" will not do; write one of: tcp, http',
    ],
    ['a missing key', yaml('targets:\n  - {kind: icmp, name: x}'), 'targets[0].host (/work/midwatch.yaml:2:5): it is needed here'],
    [
      'a key of a target',
      yaml('targets:\n  - {kind: icmp, name: x, host: h, evry: 1s}'),
      'targets[0].evry (/work/midwatch.yaml:2:36): there is no such setting; did you mean every?',
    ],
    [
      'a target key of the code',
      yaml('targets: [{kind: icmp, name: x, host: h, everyMs: 1}]'),
      'targets[0].everyMs (/work/midwatch.yaml:1:42): there is no such setting; did you mean every?',
    ],
    [
      'a target in the environment',
      { env: { MIDWATCH_TARGETS: '[{"kind":"tcp","name":"x","host":"h","port":70000}]' } },
      'targets[0].port (environment MIDWATCH_TARGETS:1:45): 70000 will not do; use at most 65535',
    ],
    ['a status', yaml('targets: [{kind: http, name: x, url: "http://x", status: 2xx}]'), '"2xx" will not do; write a status such as 200'],
    ['targets that are no list', yaml('targets: 5'), 'targets (/work/midwatch.yaml:1:10): 5 will not do; write a list'],
    [
      'a name given twice',
      yaml('targets: [{kind: icmp, name: x, host: h}, {kind: icmp, name: x, host: i}]'),
      '"x" is also the name of targets[0]; give each its own',
    ],
    ['a certificate alone', { flags: { tlsCert: 'c.pem' } }, 'tlsCert (flag --tls-cert): needs tlsKey too'],
    [
      'open without TLS',
      { env: { MIDWATCH_OPEN: 'true' } },
      'open (environment MIDWATCH_OPEN): give tlsCert and tlsKey too, or insecureHttp',
    ],
    [
      'the grid key in the file',
      yaml(`gridKey: ${KEY}`),
      'gridKey (/work/midwatch.yaml:1:1): the key itself may not stand here; name a file in gridKeyFile',
    ],
  ]
  test.each(messages)('%s is named with its place and what would do', async (_, machine, message) => {
    expect(await failure(machine)).toMatchObject({ code: 'MW_CONFIG', message: expect.stringContaining(message) as string })
  })

  test('every problem is told at once', async () => {
    expect((await failure({ flags: { site: '!' }, env: { MIDWATCH_ID: '!' } })).message.split('\n')).toHaveLength(2)
  })

  test.each([
    ['broken YAML', 'site: [a', /^\/work\/midwatch.yaml:1:9: /],
    ['a key given twice', 'site: a\nsite: b', /^\/work\/midwatch.yaml:2:1: /],
    ['a list', '- a', /^\/work\/midwatch.yaml:1:1: write settings/],
    ['a word', 'hello', /write settings/],
    ['a tag of the dark', 'site: !!js/function "x"', /^\/work\/midwatch.yaml:1:7: /],
    [
      'a billion laughs',
      `a: &a [x]\n${'bcdefghijk'.replace(
        /./g,
        (l) =>
          `${l}: &${l} [${Array(9)
            .fill(`*${String.fromCharCode(l.charCodeAt(0) - 1)}`)
            .join(',')}]\n`,
      )}`,
      /cannot be read/,
    ],
    ['nesting beyond reason', '['.repeat(100_000), /midwatch.yaml/],
    ['a file beyond its bound', `# ${'x'.repeat(LIMITS.configBytes)}`, /larger than 1048576 bytes/],
  ])('%s is an error of the file', async (_, text, message) => {
    expect(await failure(yaml(text))).toMatchObject({ code: 'MW_CONFIG_FILE', message: expect.stringMatching(message) as string })
  })

  test('variables that an orchestrator sets for a service called midwatch are not ours', async () => {
    const env = {
      MIDWATCH_SERVICE_HOST: '10.0.0.1',
      MIDWATCH_SERVICE_PORT_HTTP: '8777',
      MIDWATCH_PORT: 'tcp://10.0.0.1:8777',
      MIDWATCH_PORT_8777_TCP_ADDR: '10.0.0.1',
    }
    await expect(load({ env })).resolves.toBeDefined()
    expect((await failure({ env: { MIDWATCH_PORT: '9000' } })).message).toContain('MIDWATCH_PORT')
  })
})

describe('secrets', () => {
  const files = { '/work/key': `${KEY.toUpperCase()}\n`, '/work/other': 'cd'.repeat(32), '/work/midwatch.yaml': 'gridKeyFile: other' }
  test.each([
    ['the environment', { env: { MIDWATCH_GRID_KEY: KEY } }, KEY],
    ['a file', { flags: { gridKeyFile: 'key' } }, KEY],
    ['the environment over the file of a file', { env: { MIDWATCH_GRID_KEY: KEY }, files }, KEY],
    ['a flag over the environment', { env: { MIDWATCH_GRID_KEY: 'ee'.repeat(32) }, flags: { gridKeyFile: 'key' } }, KEY],
  ])('the grid key comes from %s and stays out of the settings', async (_, machine: Machine, key) => {
    const loaded = await load({ files: { '/work/key': files['/work/key'] }, ...machine })
    expect(loaded.gridKeyHex).toBe(key)
    expect(JSON.stringify(loaded.settings)).not.toContain(key)
  })

  test.each([
    ['a key with the wrong form', { env: { MIDWATCH_GRID_KEY: 'hunter2hunter2' } }, 'MW_GRID_KEY'],
    ['a key file with the wrong form', { flags: { gridKeyFile: 'k' }, files: { '/work/k': 'hunter2hunter2' } }, 'MW_GRID_KEY'],
    ['a key file that is not there', { flags: { gridKeyFile: 'gone' } }, 'MW_GRID_KEY'],
    ['a key file beyond its bound', { flags: { gridKeyFile: 'k' }, files: { '/work/k': 'hunter2'.repeat(1_000) } }, 'MW_GRID_KEY'],
    ['a key where a file belongs', { flags: { gridKeyFile: KEY } }, 'MW_GRID_KEY'],
    ['a header of a target', yaml('targets: [{kind: http, name: x, url: "http://x", headers: {a: [hunter2]}}]'), 'MW_CONFIG'],
    [
      'a header that is too long',
      yaml(`targets: [{kind: http, name: x, url: "http://x", headers: {a: "${'hunter2'.repeat(200)}"}}]`),
      'MW_CONFIG',
    ],
    ['the password in an address', yaml('targets: [{kind: http, name: x, url: "ftp://ann:hunter2@x/?key=hunter2"}]'), 'MW_CONFIG'],
    ['an unknown variable', { env: { MIDWATCH_PASSWORD: 'hunter2' } }, 'MW_CONFIG'],
  ])('%s is refused without being shown', async (_, machine: Machine, code) => {
    const error = await failure(machine)
    expect(error.code).toBe(code)
    expect(error.message).not.toMatch(/hunter2|abab/)
  })
})
