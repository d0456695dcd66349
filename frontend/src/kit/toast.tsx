// toast(text): a short message that goes by itself; errors stay until they are closed. It may offer something to do, as
// taking back what was done, and may change while work goes on. `attempt` runs something and tells what came of it.
// Toasts is the place where they appear, once in an application.

import { signal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import { explain } from '../lib/problem'
import { Button } from './button'
import { Icon } from './icon'
import './toast.css'

type State = 'good' | 'warn' | 'bad'
interface Message { id: number, text: string, state: State, action?: Action }

interface Action { text: string, run: () => unknown }

interface Options {
  /** A button; the toast closes when it is pressed. */
  action?: Action
  /** How long it stays; Infinity until it is closed. */
  seconds?: number
}

export interface Toast {
  close(): void
  /** Another text in its place, with its time beginning anew. */
  change(text: string, state?: State, options?: Options): void
}

const shown = signal<readonly Message[]>([])
let last = 0

export function toast(text: string, state: State = 'good', options: Options = {}): Toast {
  const id = ++last
  let timer: ReturnType<typeof setTimeout> | undefined
  const wait = (now: State, { action, seconds }: Options, length: number) => {
    clearTimeout(timer)
    const most = seconds ?? (now === 'bad' ? Infinity : (action ? 8 : 4) + 0.04 * length)
    if (most !== Infinity) timer = setTimeout(() => close(id), most * 1000)
  }
  const message = (now: string, look: State, { action }: Options): Message => ({ id, text: now, state: look, ...(action ? { action } : {}) })
  shown.value = [...shown.value.filter(one => one.text !== text).slice(-3), message(text, state, options)]
  wait(state, options, text.length)
  return {
    close() { close(id) },
    change(now, look = state, given = {}) {
      shown.value = shown.value.map(one => one.id === id ? message(now, look, given) : one)
      wait(look, given, now.length)
    },
  }
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
      {one.action && <Button small onPress={() => {
        close(one.id)
        return one.action?.run()
      }}>{one.action.text}</Button>}
      <Button tone="quiet" small square icon="cross" onPress={() => close(one.id)}>Close</Button>
    </div>)}
  </div>
}
