// npm run check: everything that can be judged without running the program, side by side. One line for each part.
import { spawn } from 'node:child_process'
import { dirname, join } from 'node:path'

const root = dirname(import.meta.dirname)
const bin = (name: string): string => join(root, 'node_modules', '.bin', name)

const script = (name: string): string[] => [process.execPath, join(import.meta.dirname, name)]

// The longest first.
const parts: Readonly<Record<string, readonly string[]>> = {
  types: [bin('tsc'), '-p', 'tsconfig.json'],
  'console types': [bin('svelte-check'), '--tsconfig', 'console/tsconfig.json', '--fail-on-warnings', '--output', 'human'],
  lint: [bin('oxlint'), '--type-aware', '--deny-warnings'],
  format: [bin('oxfmt'), '--check'],
  'dead code': [bin('knip')],
  rooms: script('rooms.ts'),
  'doc links': script('docs.ts'),
  'no traces': script('clean.ts'),
}

async function main(): Promise<number> {
  const started = performance.now()
  const failed = (await Promise.all(Object.entries(parts).map(([name, argv]) => judge(name, argv)))).filter((ok) => !ok).length
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  console.log(
    failed === 0 ? `check passed in ${seconds} s` : `check failed: ${failed} of ${Object.keys(parts).length} parts, in ${seconds} s`,
  )
  return failed === 0 ? 0 : 1
}

function judge(name: string, [program = '', ...args]: readonly string[]): Promise<boolean> {
  const started = performance.now()
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, FORCE_COLOR: '0' } })
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.on('error', (error) => (output += error.message))
    child.on('close', (code) => {
      const seconds = ((performance.now() - started) / 1000).toFixed(1)
      console.log(`${code === 0 ? 'ok    ' : 'FAILED'} ${name.padEnd(14)} ${seconds.padStart(5)} s`)
      if (code !== 0) console.log(output.trimEnd().replace(/^/gm, '    '))
      resolve(code === 0)
    })
  })
}

process.exit(await main())
