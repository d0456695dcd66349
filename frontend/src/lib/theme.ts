// Light or dark: as the system says, or as chosen in this browser.

import { effect, signal } from '@preact/signals'
import { recall, remember } from './storage'

export type Theme = 'system' | 'light' | 'dark'
const THEMES: readonly Theme[] = ['system', 'light', 'dark']

export const theme = signal<Theme>(THEMES.find(one => one === recall('theme')) ?? 'system')

export function startTheme(): void {
  effect(() => {
    const chosen = theme.value
    if (chosen === 'system') delete document.documentElement.dataset['theme']
    else document.documentElement.dataset['theme'] = chosen
    remember('theme', chosen === 'system' ? null : chosen)
  })
}

export function nextTheme(): void {
  theme.value = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length] ?? 'system'
}
