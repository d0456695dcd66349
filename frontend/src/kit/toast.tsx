// toast(text): a short message that goes by itself; errors stay until they are closed. `attempt` runs something and
// tells what came of it. Toasts is the place where they appear, once in an application.

import { signal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import { explain } from '../lib/problem'
import { Button } from './button'
import { Icon } from './icon'
import './toast.css'

type State = 'good' | 'warn' | 'bad'
interface Message { id: number, text: string, state: State }

const shown = signal<readonly Message[]>([])
let last = 0

export function toast(text: string, state: State = 'good'): void {
  const id = ++last
  shown.value = [...shown.value.filter(one => one.text !== text).slice(-3), { id, text, state }]
  if (state !== 'bad') setTimeout(() => close(id), 4000 + 40 * text.length)
}

function close(id: number): void {
  shown.value = shown.value.filter(one => one.id !== id)
}

/** Runs it and tells of success, if there is a text for that, and of failure. Whether it went well. */
export async function attempt(run: () => Promise<unknown>, success?: string): Promise<boolean> {
  try {
    await run()
  } catch (error) {
    toast(explain(error), 'bad')
    return false
  }
  if (success) toast(success)
  return true
}

const ICONS = { good: 'check', warn: 'warning', bad: 'warning' } as const

export function Toasts() {
  const place = useRef<HTMLDivElement>(null)
  const messages = shown.value
  useEffect(() => {
    // In the top layer, above dialogs that are opened before.
    const box = place.current
    if (!box?.showPopover) return
    try {
      box.hidePopover()
    } catch { /* It was not shown. */ }
    if (messages.length > 0) box.showPopover()
  }, [messages])
  return <div class="toasts" ref={place} popover="manual" role="status" aria-live="polite">
    {messages.map(one => <div key={one.id} class={`toast ${one.state}`}>
      <Icon name={ICONS[one.state]} size={16} />
      <span>{one.text}</span>
      <Button tone="quiet" small square icon="cross" onPress={() => close(one.id)}>Close</Button>
    </div>)}
  </div>
}
