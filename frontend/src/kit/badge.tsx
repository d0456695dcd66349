// Badge: a state in a word; the colour only repeats what the word says. Notice: a sentence or more that should be seen.

import type { ComponentChildren } from 'preact'
import { Icon } from './icon'
import './badge.css'

export type State = 'plain' | 'good' | 'warn' | 'bad' | 'accent'

export function Badge({ state = 'plain', title, children }: { state?: State, title?: string, children: ComponentChildren }) {
  return <span class={`badge ${state}`} title={title}>{children}</span>
}

const ICONS = { plain: 'info', accent: 'info', good: 'check', warn: 'warning', bad: 'warning' } as const

export function Notice({ state = 'accent', children }: { state?: State, children: ComponentChildren }) {
  return <div class={`notice ${state}`} role={state === 'bad' ? 'alert' : 'note'}>
    <Icon name={ICONS[state]} /><div>{children}</div>
  </div>
}
