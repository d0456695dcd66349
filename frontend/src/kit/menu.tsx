// Menu: a button that opens a list of things to do (WAI-ARIA, menu button pattern). `null` among the items is a line.

import { useEffect, useRef, useState } from 'preact/hooks'
import { step } from '../lib/keyboard'
import { Button } from './button'
import { Icon, type IconName } from './icon'
import './menu.css'

export interface MenuItem {
  text: string
  icon?: IconName
  danger?: boolean
  run: () => unknown
}

interface Props {
  label: string
  items: readonly (MenuItem | null)[]
  icon?: IconName
  square?: boolean
  small?: boolean
  /** Opens towards the end of the line, not back. */
  start?: boolean
}

export function Menu({ label, items, icon = 'down', square = false, small = false, start = false }: Props) {
  const [open, setOpen] = useState(false), box = useRef<HTMLDivElement>(null)
  const entries = () => [...box.current?.querySelectorAll<HTMLElement>('[role="menuitem"]') ?? []]
  const close = (focus: boolean) => {
    setOpen(false)
    if (focus) box.current?.querySelector('button')?.focus()
  }
  useEffect(() => {
    if (!open) return
    entries()[0]?.focus()
    const outside = (event: Event) => { if (!box.current?.contains(event.target as Node)) setOpen(false) }
    document.addEventListener('pointerdown', outside)
    document.addEventListener('focusin', outside)
    return () => {
      document.removeEventListener('pointerdown', outside)
      document.removeEventListener('focusin', outside)
    }
  }, [open])
  const walk = (event: KeyboardEvent) => {
    if (!open) return
    if (event.key === 'Escape') {
      event.preventDefault()
      event.stopPropagation()
      close(true)
      return
    }
    const all = entries(), next = step(event.key, all.indexOf(document.activeElement as HTMLElement), all.length)
    if (next === null) return
    event.preventDefault()
    all[next]?.focus()
  }
  return <div class={`menu${start ? ' start' : ''}`} ref={box} onKeyDown={walk}>
    <Button icon={icon} square={square} small={small} tone={square ? 'quiet' : 'plain'} expanded={open} onPress={() => setOpen(!open)}>{label}</Button>
    {open && <div role="menu" aria-label={label}>
      {items.map((item, index) => item === null ? <div key={index} role="separator" />
        : <button key={item.text} type="button" role="menuitem" class={item.danger ? 'danger' : ''} tabIndex={-1} onClick={() => {
          close(true)
          item.run()
        }}>{item.icon && <Icon name={item.icon} size={16} />}{item.text}</button>)}
    </div>}
  </div>
}
