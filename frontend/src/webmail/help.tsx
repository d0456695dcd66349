// The help sheet: every key, what underlining means, and which version this is.

import { signal } from '@preact/signals'
import { serverVersion } from '../api/wire'
import { Dialog } from '../kit'
import { KEYS } from './keys'

export const helpOpen = signal(false)

const SIGNS: Record<string, string> = { ContextMenu: 'Menu', ArrowDown: '↓', ArrowUp: '↑', ArrowLeft: '←', ArrowRight: '→', ' ': 'Space', Escape: 'Esc', PageDown: 'Page ↓', PageUp: 'Page ↑', Delete: 'Del', Backspace: '⌫' }

/** `ctrl+ArrowDown` as `Ctrl ↓`. */
export function keyText(key: string): string {
  return key.replace(/^(?:ctrl|alt|shift)\+(?=.)/, one => `${one.charAt(0).toUpperCase()}${one.slice(1, -1)} `).replace(/(^| )(?:shift\+)?(\S+| )$/, (_, before: string, last: string) => `${before}${SIGNS[last] ?? last}`)
}

export function Help() {
  return <Dialog title="Keys" wide onClose={() => { helpOpen.value = false }}>
    <div class="keysheet">
      {KEYS.map(group => <section key={group.title}>
        <h3>{group.title}</h3>
        <dl>{group.keys.map(({ keys, what }) => [
          <dt key={`${what} keys`}>{keys.slice(0, 2).map(key => <kbd key={key}>{keyText(key)}</kbd>)}</dt>, <dd key={what}>{what}</dd>,
        ])}</dl>
      </section>)}
      <section>
        <h3>What is underlined</h3>
        <p>A sender whose domain confirms the message is <span class="from validated">underlined like this</span>; one that nothing confirms <span class="from unvalidated">like this</span>.</p>
        <p>Words with letters of several scripts are <span class="mixed">underlined like this</span>: a Cyrillic letter can look like a Latin one in the name of a bank.</p>
      </section>
      <section>
        <h3>This program</h3>
        <p>moxpy {serverVersion.value} · <a href="licenses.txt" target="_blank" rel="noopener noreferrer">Licences</a></p>
      </section>
    </div>
  </Dialog>
}
