/** Waits for a condition, asking often; a thrown error counts as "not yet" and is told when time is up. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, timeoutMs = 10_000, everyMs = 25): Promise<void> {
  const endMs = performance.now() + timeoutMs
  let last: unknown = null
  for (;;) {
    try {
      if (await holds()) return
      last = null
    } catch (error) {
      last = error
    }
    if (performance.now() > endMs) throw new Error(`waited ${timeoutMs} ms in vain until ${what}`, { cause: last ?? undefined })
    await new Promise((resolve) => setTimeout(resolve, everyMs))
  }
}
