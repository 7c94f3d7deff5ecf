// Brings a checkout to where it can run: dependencies, the Node 24 runtime, the build. What is up to date is not done again.
// Plain JavaScript without dependencies that starts on any Node, since it runs before there is anything of our own.
//
//   node scripts/setup.mjs           everything
//   node scripts/setup.mjs --deps    dependencies and runtime only
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { withLock } from './lib/lock.mjs'
import { StepError, fail, say, step } from './lib/step.mjs'

const OLDEST_NODE = 20
const RUNTIME_NODE = 24
const root = dirname(dirname(fileURLToPath(import.meta.url)))
const cache = join(root, '.cache')
const stampFile = join(cache, 'built.json')
const runtime = join(root, 'node_modules', '.bin', 'node')

/** Each task says whether it is done, and does it. In order: the later ones need the earlier ones. */
const tasks = [
  { done: dependenciesDone, run: installDependencies },
  { done: runtimeDone, run: repairRuntime },
  { done: () => built('node'), run: buildNode },
  { done: () => built('console'), run: buildConsole },
]

/** What each part of the build is made from and what it makes. */
const builds = {
  node: { from: ['src', 'tsconfig.base.json', 'tsconfig.build.json', 'package-lock.json'], makes: 'dist/cli/main.js' },
  console: { from: ['console', 'src/contract', 'package-lock.json'], makes: 'dist/console/index.html' },
}

/** @param {boolean} depsOnly */
async function setup(depsOnly) {
  if (majorOf(process.version) < OLDEST_NODE) {
    throw new StepError(
      `This is Node ${process.version}, too old to set Midwatch up`,
      `Install Node ${OLDEST_NODE} or later. The Node ${RUNTIME_NODE} that Midwatch itself runs on is then fetched from npm.`,
    )
  }
  const wanted = depsOnly ? tasks.slice(0, 2) : tasks
  if (wanted.every((task) => task.done())) return
  mkdirSync(cache, { recursive: true })
  await withLock(join(cache, 'setup.lock'), async () => {
    say('Setting up Midwatch')
    // Asked again one by one: another set-up may have finished meanwhile, and each task changes what the next one sees.
    for (const task of wanted) if (!task.done()) await task.run()
  })
}

/** npm keeps a copy of the lockfile in node_modules; they agree when everything that is not optional is there in its version. */
function dependenciesDone() {
  const wanted = readJson(join(root, 'package-lock.json'))?.packages ?? {}
  const present = readJson(join(root, 'node_modules', '.package-lock.json'))?.packages
  if (!present) return false
  return Object.entries(wanted).every(([path, entry]) => path === '' || entry.optional || present[path]?.version === entry.version)
}

async function installDependencies() {
  await step('dependencies and the Node 24 runtime, from npm', ['npm', 'ci', '--no-audit', '--no-fund', '--loglevel=http'], { cwd: root })
}

function runtimeDone() {
  return majorOf(spawnSync(runtime, ['--version'], { encoding: 'utf8' }).stdout) >= RUNTIME_NODE
}

/** npm leaves the runtime out where it may not run the scripts of packages; this runs the one script that fetches it. */
async function repairRuntime() {
  const folder = join(root, 'node_modules', 'node')
  await step('the Node 24 runtime, from npm', [process.execPath, 'installArchSpecificPackage.js'], { cwd: folder })
  // npm links only programs that were there when it looked.
  if (!existsSync(runtime)) symlinkSync(join('..', 'node', 'bin', 'node'), runtime)
  if (runtimeDone()) return
  throw new StepError(
    `MW_RUNTIME: ${runtime} does not run as Node ${RUNTIME_NODE} on this machine (${process.platform} ${process.arch})`,
    `Delete node_modules and try again, or install Node ${RUNTIME_NODE} on the system and use it directly: npm run build && bin/midwatch up.`,
  )
}

/**
 * Only emits: types are judged by `npm run check`. Built aside and swapped in, so that a build that fails or is
 * interrupted leaves the last one whole.
 */
async function buildNode() {
  const inputs = fingerprint(builds.node.from)
  const aside = join(cache, 'build')
  rmSync(aside, { recursive: true, force: true })
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  await step('building the node', [runtime, tsc, '-p', 'tsconfig.build.json', '--noCheck', '--outDir', aside], { cwd: root })
  mkdirSync(join(root, 'dist'), { recursive: true })
  for (const name of readdirSync(join(root, 'dist'))) if (name !== 'console') rmSync(join(root, 'dist', name), { recursive: true })
  for (const name of readdirSync(aside)) renameSync(join(aside, name), join(root, 'dist', name))
  stamp('node', inputs)
}

async function buildConsole() {
  const inputs = fingerprint(builds.console.from)
  const vite = join(root, 'node_modules', 'vite', 'bin', 'vite.js')
  const outDir = join(root, 'dist', 'console')
  await step('building the console', [runtime, vite, 'build', 'console', '--outDir', outDir, '--emptyOutDir'], { cwd: root })
  stamp('console', inputs)
}

/** @param {keyof typeof builds} name */
function built(name) {
  const { from, makes } = builds[name]
  return existsSync(join(root, makes)) && readJson(stampFile)?.[name] === fingerprint(from)
}

/** @param {keyof typeof builds} name @param {string} inputs */
function stamp(name, inputs) {
  writeFileSync(stampFile, JSON.stringify({ ...readJson(stampFile), [name]: inputs }))
}

/**
 * One hash over path, size and time of every file. Times instead of contents keep it at a few ms.
 * @param {string[]} paths
 */
function fingerprint(paths) {
  const hash = createHash('sha256')
  /** @param {string} path */
  const add = (path) => {
    const at = statSync(path, { throwIfNoEntry: false })
    if (at?.isDirectory()) for (const name of readdirSync(path).toSorted()) add(join(path, name))
    else if (at && !path.endsWith('.test.ts')) hash.update(`${path} ${at.size} ${at.mtimeMs}\n`)
  }
  for (const path of paths) add(join(root, path))
  return hash.digest('hex')
}

/** @param {string} path */
function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    return null
  }
}

/** @param {string | null} version such as v24.1.0 */
function majorOf(version) {
  return Number(/^v(\d+)\./.exec(version ?? '')?.[1] ?? 0)
}

setup(process.argv.includes('--deps')).catch(fail)
