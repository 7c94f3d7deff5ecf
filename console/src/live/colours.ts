/** Canvases cannot read custom properties, so the tokens that they need are resolved for the scheme of the moment. */
export const CANVAS_TOKENS = [
  '--surface',
  '--raised',
  '--line',
  '--line-strong',
  '--text',
  '--muted',
  '--accent',
  '--on-accent',
  '--s-up',
  '--s-slow',
  '--s-lossy',
  '--s-partial',
  '--s-one-way',
  '--s-down',
  '--s-stale',
  '--s-unknown',
] as const
export type Colours = Readonly<Record<(typeof CANVAS_TOKENS)[number], string>>

export function readColours(): Colours {
  const probe = document.createElement('span')
  document.body.append(probe)
  const style = getComputedStyle(probe)
  const colours = Object.fromEntries(
    CANVAS_TOKENS.map((token) => {
      probe.style.color = `var(${token})`
      return [token, style.color]
    }),
  ) as Colours
  probe.remove()
  return colours
}
