import { MidwatchError } from '../contract/index.ts'

export type DemoOptions = { readonly listen: string }
export type RunningDemo = { readonly consoleLink: string; stop(reason: string): Promise<void> }

export async function startDemo(_options: DemoOptions): Promise<RunningDemo> {
  throw new MidwatchError('MW_INTERNAL', 'the demo comes with the relay')
}
