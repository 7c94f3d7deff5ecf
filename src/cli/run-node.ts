import type { RunningNode } from '../node/index.ts'
import { loadSettings, PROGRAM_VERSION } from '../node/settings/index.ts'
import type { Call, ExitCode } from './command.ts'
import { untilSignal, writesToLog } from './foreground.ts'

/** Starts a node with the flags of the call, tells where it is, and runs it until it is told to stop. */
export async function runNode(call: Call, invitation?: string): Promise<ExitCode> {
  const { settings, gridKeyHex } = await loadSettings({ ...call.machine, flags: call.options })
  return untilSignal(async () => {
    const { startNode } = await import('../node/index.ts')
    const log = process.stderr.isTTY ? 'pretty' : 'json'
    const node = await startNode({ settings, gridKeyHex, log, ...(invitation === undefined ? {} : { invitation }) })
    tell(call, node)
    return node
  })
}

function tell(call: Call, node: RunningNode): void {
  const { out, json } = call
  const { id, site, gridName, listen, dataDir } = node
  // The link lets whoever reads it in, so it is kept out of journals and of containers' logs.
  const consoleLink = writesToLog(call.machine.env) ? null : node.consoleLink
  if (json) return out.json({ version: PROGRAM_VERSION, pid: process.pid, id, site, grid: gridName, listen, dataDir, consoleLink })
  const usual = call.options['data'] === undefined
  const other = usual || dataDir === null ? '' : ` --data ${dataDir}`
  out.line(`${out.paint('strong', `midwatch ${PROGRAM_VERSION}`)}: node ${out.paint('strong', id)} in site ${site}, grid ${gridName}`)
  out.line(`  listening  ${listen}`)
  out.line(`  data       ${dataDir ?? 'none (ephemeral)'}`)
  out.line(`  console    ${consoleLink ?? `run: midwatch open${other}`}`)
  out.line()
  if (dataDir !== null) out.line(`To add another host, run here: midwatch invite${other}`)
  if (out.isTty) out.line(out.paint('dim', 'Ctrl-C stops this node.'))
}
