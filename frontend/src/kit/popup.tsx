// popup(at, label, items): a menu beside what was pressed, or where the pointer is, in the top layer, so that nothing cuts
// it off. With `search` it is narrowed by typing, for long lists of mailboxes or labels. Popups is the place where it
// appears, once in an application.

import { signal } from '@preact/signals'
import { useId, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { step } from '../lib/keyboard'
import { Icon, type IconName } from './icon'
import './popup.css'

export interface PopupItem {
  text: string
  icon?: IconName
  danger?: boolean
  /** Shown at the end of the line. */
  keys?: string
  /** How deep it stands in a tree. */
  depth?: number
  checked?: boolean
  run: () => unknown
}

interface Shown {
  /** The edges it stands beside; `right` aligned when there is more room so. */
  at: { left: number, right: number, top: number, bottom: number }
  label: string
  items: readonly (PopupItem | null)[]
  search?: boolean
  /** Offers what was typed, when nothing is called so. */
  make?: (text: string) => PopupItem
}

const shown = signal<Shown | null>(null)

/** Opens it beside an element or at a point. `null` among the items is a line. */
export function popup(at: Element | { x: number, y: number }, label: string, items: Shown['items'], options: Pick<Shown, 'search' | 'make'> = {}): void {
  const box = at instanceof Element ? at.getBoundingClientRect() : { left: at.x, right: at.x, top: at.y, bottom: at.y }
  shown.value = { at: box, label, items, ...options }
}

export function closePopup(): void {
  shown.value = null
}

export function Popups() {
  const now = shown.value
  return now && <Popup key={now} now={now} />
}

function Popup({ now: { at, label, items, search, make } }: { now: Shown }) {
  const box = useRef<HTMLDivElement>(null), id = useId(), before = useRef<Element | null>(null)
  const [text, setText] = useState(''), [active, setActive] = useState(0)
  useLayoutEffect(() => {
    const element = box.current
    if (!element) return
    before.current = document.activeElement
    element.showPopover?.()
    place(element, at)
    element.querySelector<HTMLElement>(search ? 'input' : '[role^="menuitem"]')?.focus()
    const outside = (event: Event) => { if (!element.contains(event.target as Node)) closePopup() }
    document.addEventListener('pointerdown', outside, true)
    window.addEventListener('resize', closePopup)
    window.addEventListener('blur', closePopup)
    return () => {
      document.removeEventListener('pointerdown', outside, true)
      window.removeEventListener('resize', closePopup)
      window.removeEventListener('blur', closePopup)
    }
  }, [])
  const wanted = text.trim().toLowerCase()
  const found = items.filter(one => wanted === '' || (one !== null && one.text.toLowerCase().includes(wanted)))
  const listed = [...found, ...(make && wanted !== '' && !found.some(one => one?.text.toLowerCase() === wanted) ? [make(text.trim())] : [])]
  const choices = listed.filter(one => one !== null)
  const run = (item: PopupItem | undefined) => {
    if (!item) return
    const back = before.current
    closePopup()
    if (back instanceof HTMLElement && back.isConnected) back.focus({ preventScroll: true })
    item.run()
  }
  const pressed = (event: KeyboardEvent) => {
    event.stopPropagation()
    if (event.key === 'Escape' || event.key === 'Tab') {
      event.preventDefault()
      closePopup()
      if (before.current instanceof HTMLElement) before.current.focus({ preventScroll: true })
    } else if (search) {
      if (event.key === 'Enter') {
        event.preventDefault()
        run(choices[active])
      } else if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
        event.preventDefault()
        const next = step(event.key, active, Math.max(1, choices.length)) ?? 0
        setActive(next)
        box.current?.querySelectorAll('[role^="menuitem"]')[next]?.scrollIntoView({ block: 'nearest' })
      }
    } else {
      const all = [...box.current?.querySelectorAll<HTMLElement>('[role^="menuitem"]') ?? []]
      const here = all.indexOf(document.activeElement as HTMLElement), next = step(event.key, here, all.length)
      const letter = event.key.length === 1 && !event.ctrlKey && !event.metaKey
        ? [...all.slice(here + 1), ...all].find(one => one.textContent?.trim().toLowerCase().startsWith(event.key.toLowerCase())) : undefined
      if (next !== null || letter) event.preventDefault()
      if (next !== null) all[next]?.focus()
      else letter?.focus()
    }
  }
  return <div ref={box} class="popup" popover="manual" role={search ? 'dialog' : 'menu'} aria-label={label} onKeyDown={pressed}>
    {search && <input class="input" value={text} placeholder={label} aria-label={label} role="combobox" aria-expanded="true" aria-controls={id}
      aria-activedescendant={choices[active] ? `${id}-${active}` : undefined} autocomplete="off" spellcheck={false} onInput={event => {
        setText(event.currentTarget.value)
        setActive(0)
      }} />}
    <div class="entries" id={id} role={search ? 'menu' : 'none'}>
      {listed.map((item, index) => {
        if (item === null) return <div key={index} role="separator" />
        const at = choices.indexOf(item)
        return <button key={`${index} ${item.text}`} id={`${id}-${at}`} type="button" tabIndex={-1} role={item.checked === undefined ? 'menuitem' : 'menuitemcheckbox'}
          aria-checked={item.checked} class={`${item.danger ? 'danger' : ''}${search && at === active ? ' active' : ''}`}
          ref={element => { if (element) element.style.paddingInlineStart = item.depth ? `${0.625 + item.depth}rem` : '' }} onClick={() => run(item)}>
          {item.checked !== undefined ? <span class="tick">{item.checked && <Icon name="check" size={16} />}</span> : item.icon && <Icon name={item.icon} size={16} />}
          <span class="text">{item.text}</span>{item.keys && <kbd>{item.keys}</kbd>}
        </button>
      })}
      {choices.length === 0 && <p class="muted">Nothing is called so.</p>}
    </div>
  </div>
}

/** Below what it belongs to, or above where there is more room; always within the window. */
function place(element: HTMLElement, { left, right, top, bottom }: Shown['at']): void {
  const { width, height } = element.getBoundingClientRect(), margin = 8, gap = right > left ? 4 : 0
  const below = window.innerHeight - bottom - margin >= Math.min(height, 240) || bottom < window.innerHeight / 2
  const x = left + width + margin > window.innerWidth ? right - width : left
  element.style.left = `${Math.max(margin, Math.min(x, window.innerWidth - width - margin))}px`
  if (below) {
    element.style.top = `${Math.min(bottom + gap, window.innerHeight - Math.min(height, window.innerHeight - 2 * margin) - margin)}px`
    element.style.maxHeight = `${window.innerHeight - 2 * margin}px`
  } else {
    element.style.bottom = `${window.innerHeight - top + gap}px`
    element.style.maxHeight = `${top - margin - gap}px`
  }
}
