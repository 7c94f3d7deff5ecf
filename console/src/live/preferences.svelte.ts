/** What this reader chose in this browser. A browser that refuses storage only forgets. */
export function kept(key: string): string | null {
  try {
    return localStorage.getItem(`midwatch.${key}`)
  } catch {
    return null
  }
}

export function keep(key: string, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(`midwatch.${key}`)
    else localStorage.setItem(`midwatch.${key}`, value)
  } catch {
    // Nothing depends on it.
  }
}

export type Theme = 'auto' | 'light' | 'dark'
const THEMES: readonly Theme[] = ['auto', 'light', 'dark']

class Preferences {
  theme = $state<Theme>(THEMES.find((theme) => theme === kept('theme')) ?? 'auto')
  /** Keys that act without a modifier disturb some who use speech input, so they can be switched off. */
  shortcuts = $state(kept('shortcuts') !== 'off')
  /** Follows the system where the theme does, so that canvases are drawn anew. */
  systemDark = $state(matchMedia('(prefers-color-scheme: dark)').matches)
  narrow = $state(matchMedia('(max-width: 720px)').matches)

  constructor() {
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', (event) => (this.systemDark = event.matches))
    matchMedia('(max-width: 720px)').addEventListener('change', (event) => (this.narrow = event.matches))
    this.#show()
  }

  get dark(): boolean {
    return this.theme === 'dark' || (this.theme === 'auto' && this.systemDark)
  }

  setTheme(theme: Theme): void {
    this.theme = theme
    keep('theme', theme === 'auto' ? null : theme)
    this.#show()
  }

  nextTheme(): void {
    this.setTheme(THEMES[(THEMES.indexOf(this.theme) + 1) % THEMES.length] as Theme)
  }

  setShortcuts(on: boolean): void {
    this.shortcuts = on
    keep('shortcuts', on ? null : 'off')
  }

  #show(): void {
    if (this.theme === 'auto') delete document.documentElement.dataset['theme']
    else document.documentElement.dataset['theme'] = this.theme
  }
}

export const preferences = new Preferences()
