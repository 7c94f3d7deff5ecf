import type { IForbiddenRuleType } from 'dependency-cruiser'

/** What a room may import besides itself. The table of ARCHITECTURE.md, word for word; everything else here follows from it. */
type Room = {
  readonly rooms: readonly string[]
  /** Rooms of which it may import the door's types, never code. */
  readonly typesOf?: readonly string[]
  readonly packages: 'any' | readonly string[]
  /** Which of Node's own modules: all, all that do no I/O (the rest goes through platform), or none at all, which makes it pure. */
  readonly builtins: 'all' | 'no-io' | 'none'
}

const ordinary: Room = { rooms: ['contract', 'platform'], packages: 'any', builtins: 'no-io' }
const pure: Room = { rooms: ['contract'], packages: [], builtins: 'none' }
const ordinaryRooms = ['store', 'grid', 'sense', 'act', 'tell', 'assist', 'drill', 'prune']

export const ROOMS: Readonly<Record<string, Room>> = {
  contract: { rooms: [], packages: ['zod'], builtins: 'none' },
  judge: pure,
  decide: pure,
  platform: { rooms: ['contract'], packages: 'any', builtins: 'all' },
  ...Object.fromEntries(ordinaryRooms.map((room) => [room, ordinary])),
  serve: { ...ordinary, typesOf: ['judge', 'decide', ...ordinaryRooms] },
  node: { rooms: ['contract', 'platform', 'judge', 'decide', ...ordinaryRooms, 'serve'], packages: 'any', builtins: 'all' },
  cli: { rooms: ['contract', 'node'], packages: 'any', builtins: 'all' },
}

const IO = 'fs|net|dgram|http|https|http2|tls|dns|child_process|cluster|inspector'
const CODE = '^src/[^/]+/(?!.*\\.test\\.ts$)'
const TESTS = '\\.test\\.ts$'

/** Code of a room; its tests may import what they like. */
const codeOf = (room: string): string => CODE.replace('[^/]+', room)
const oneOf = (names: readonly string[]): string => `^src/(${names.join('|')})/`

function rulesOf(name: string, room: Room): IForbiddenRuleType[] {
  const from = { path: codeOf(name) }
  const own = [name, ...room.rooms]
  const types = room.typesOf ?? []
  const rules: IForbiddenRuleType[] = [{ name: `${name}-rooms`, from, to: { path: '^src/', pathNot: oneOf([...own, ...types]) } }]
  if (types.length > 0) rules.push({ name: `${name}-types-only`, from, to: { path: oneOf(types), dependencyTypesNot: ['type-only'] } })
  if (room.packages !== 'any') {
    const allowed = room.packages.map((name) => `(^|/)node_modules/${name}/`)
    rules.push({ name: `${name}-packages`, from, to: { path: 'node_modules/', ...(allowed.length > 0 ? { pathNot: allowed } : {}) } })
  }
  if (room.builtins === 'none') rules.push({ name: `${name}-builtins`, from, to: { dependencyTypes: ['core'] } })
  if (room.builtins === 'no-io')
    rules.push({
      name: `${name}-io`,
      from,
      to: { dependencyTypes: ['core'], dependencyTypesNot: ['type-only'], path: `^(node:)?(${IO})(/|$)` },
    })
  return rules
}

const everywhere: IForbiddenRuleType[] = [
  {
    name: 'door',
    from: { path: '^src/([^/]+)/', pathNot: TESTS },
    to: { path: '^src/', pathNot: ['^src/$1/', '^src/contract/', '^src/([^/]+|judge/[^/]+|node/settings)/index\\.ts$'] },
  },
  {
    name: 'console-rooms',
    from: { path: '^console/', pathNot: TESTS },
    to: { path: '^(src|test|bench|scripts)/', pathNot: '^src/contract/' },
  },
  { name: 'outside', from: { path: CODE }, to: { path: '^(console|test|bench|scripts)/' } },
  { name: 'tests-are-not-imported', from: {}, to: { path: TESTS } },
  { name: 'dev-package', from: { path: CODE }, to: { dependencyTypes: ['npm-dev'] } },
  { name: 'undeclared-package', from: {}, to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] } },
  // What cannot be resolved would slip past every other rule.
  { name: 'unresolvable', from: {}, to: { couldNotResolve: true } },
  { name: 'cycle', from: {}, to: { circular: true } },
]

export const forbidden: IForbiddenRuleType[] = [...Object.entries(ROOMS).flatMap(([name, room]) => rulesOf(name, room)), ...everywhere]
