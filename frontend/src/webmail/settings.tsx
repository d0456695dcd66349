// The settings of webmail: opened from anywhere, loaded when first wanted.

import { signal } from '@preact/signals'
import { toast } from '../kit'

export type SettingsTab = 'reading' | 'writing' | 'senders' | 'vacation' | 'browser'

/** The tab that is shown; null: none is. */
export const settings = signal<SettingsTab | null>(null)
const view = signal<typeof import('./settings/window') | null>(null)

export function openSettings(tab: SettingsTab = 'reading'): void {
  void import('./settings/window').then(loaded => {
    view.value = loaded
    settings.value = tab
  }, () => toast('The settings could not be loaded. Check the connection and try again.', 'bad'))
}

/** Once in the page. */
export function Settings() {
  const loaded = view.value
  return loaded && settings.value !== null && <loaded.SettingsWindow />
}
