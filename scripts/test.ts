// npm test: runs the suites, installing what they need where it may, and ends with one plain line of counts.
//
//   npm test                        every suite
//   npm test -- lab                 one suite
//   npm test -- src/grid            the tests in a folder or file
//   MIDWATCH_TEST_ALL=1 npm test    nothing may be left out (CI)
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'
import { install, isRoot, missing } from './lib/debian.ts'
import { fail, say } from './lib/step.mjs'
import { type Suite, suites } from './suites.ts'

type Counts = { passed: number; failed: number; skipped: number }

const root = dirname(import.meta.dirname)
const all = process.env['MIDWATCH_TEST_ALL'] === '1'

async function main(args: readonly string[]): Promise<number> {
  const { chosen, filters } = choose(args)
  const leftOut = await prepare(chosen)
  const total: Counts = { passed: 0, failed: 0, skipped: 0 }
  for (const suite of chosen) {
    const why = leftOut.get(suite.name)
    const counts =
      why === undefined ? await run(suite, filters) : all ? { passed: 0, failed: 1, skipped: 0 } : { passed: 0, failed: 0, skipped: 1 }
    total.passed += counts.passed
    total.failed += counts.failed
    total.skipped += counts.skipped
  }
  for (const [name, why] of leftOut) say(`suite ${name} left out: ${why}`)
  // Where nothing may be left out, a skipped test is something left out.
  const failed = total.failed > 0 || (all && total.skipped > 0) || total.passed === 0
  process.stdout.write(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped\n`)
  return failed ? 1 : 0
}

/** Words that name a suite choose it; paths choose the suites that they lie in. */
function choose(args: readonly string[]): { chosen: readonly Suite[]; filters: string[] } {
  const named = suites.filter((suite) => args.includes(suite.name))
  const filters = args.filter((arg) => !suites.some((suite) => suite.name === arg))
  const holding = suites.filter((suite) => suite.folders.some((folder) => filters.some((path) => path.startsWith(folder))))
  const chosen = [...new Set([...named, ...holding])]
  return { chosen: chosen.length > 0 ? chosen : suites, filters }
}

/** Installs what is missing, once for all suites. Answers the suites that cannot run, and why. */
async function prepare(chosen: readonly Suite[]): Promise<Map<string, string>> {
  const able = chosen.filter((suite) => isRoot || !suite.root)
  const wanted = [...new Set(able.flatMap((suite) => missing(suite.packages)))]
  const refusal = await install(wanted)
  const leftOut = new Map<string, string>()
  for (const suite of chosen) {
    const absent = missing(suite.packages)
    if (suite.root && !isRoot) leftOut.set(suite.name, 'it needs root')
    else if (absent.length > 0)
      leftOut.set(suite.name, `it needs the Debian packages ${absent.join(', ')} (${refusal ?? 'their programs did not appear'})`)
  }
  return leftOut
}

/** Runs one suite in a vitest of its own, so that nothing of one is left for the next, and counts what its report says. */
async function run(suite: Suite, filters: readonly string[]): Promise<Counts> {
  const report = join(root, '.cache', 'test', `${suite.name}.json`)
  mkdirSync(dirname(report), { recursive: true })
  rmSync(report, { force: true })
  say(`\nsuite ${suite.name}`)
  const args = ['run', '--project', suite.name, '--reporter=default', '--reporter=json', `--outputFile.json=${report}`, ...filters]
  const code = await vitest(args)
  const counts = existsSync(report) ? count(readFileSync(report, 'utf8')) : { passed: 0, failed: 0, skipped: 0 }
  // A run that fails without a failed test has crashed, or found no tests at all.
  if (code !== 0 && counts.failed === 0) counts.failed = 1
  return counts
}

function vitest(args: readonly string[]): Promise<number> {
  const child = spawn(process.execPath, [join(root, 'node_modules/vitest/vitest.mjs'), ...args], { cwd: root, stdio: 'inherit' })
  // At a terminal Ctrl-C reaches vitest by itself; it cleans up, and this waits for it.
  const forward = (signal: NodeJS.Signals): void => void child.kill(signal)
  const ignore = (): void => {}
  process.on('SIGINT', process.stdin.isTTY ? ignore : forward).on('SIGTERM', forward)
  return new Promise((resolve) => {
    child.on('close', (code, signal) => {
      if (signal !== null) process.exit(128 + constants.signals[signal])
      process.off('SIGINT', ignore).off('SIGINT', forward).off('SIGTERM', forward)
      resolve(code ?? 1)
    })
  })
}

function count(report: string): Counts {
  const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, testResults } = JSON.parse(report) as {
    numPassedTests: number
    numFailedTests: number
    numPendingTests: number
    numTodoTests: number
    testResults: { status: string; assertionResults: { status: string }[] }[]
  }
  // A file that cannot be loaded has failed without any test in it that did.
  const brokenFiles = testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  )
  return { passed: numPassedTests, failed: numFailedTests + brokenFiles.length, skipped: numPendingTests + numTodoTests }
}

main(process.argv.slice(2)).then((code) => process.exit(code), fail)
