// Tabs: several views of one thing. Which one is shown is the caller's: mostly a segment of the address, so that it can
// be linked to. Arrow keys walk along (WAI-ARIA, tabs pattern).

import type { ComponentChildren } from 'preact'
import { useEffect, useId, useRef } from 'preact/hooks'
import { step } from '../lib/keyboard'
import './tabs.css'

export interface Tab {
  id: string
  title: string
  /** Beside the title: a number, a badge. */
  extra?: ComponentChildren
  view: () => ComponentChildren
}

interface Props {
  label: string
  tabs: readonly Tab[]
  /** An unknown or empty one means the first. */
  current: string | undefined
  onChange: (id: string) => void
}

export function Tabs({ label, tabs, current, onChange }: Props) {
  const id = useId(), list = useRef<HTMLDivElement>(null)
  const at = Math.max(0, tabs.findIndex(tab => tab.id === current)), shown = tabs[at]
  useEffect(() => {
    // Where there is no room for all, the one that is shown is in sight.
    const one = list.current?.children[at]
    if (list.current && one instanceof HTMLElement) list.current.scrollLeft = one.offsetLeft - (list.current.clientWidth - one.offsetWidth) / 2
  }, [at])
  const walk = (event: KeyboardEvent) => {
    const next = step(event.key, at, tabs.length)
    const tab = next === null ? undefined : tabs[next]
    if (next === null || !tab) return
    event.preventDefault()
    onChange(tab.id)
    list.current?.querySelectorAll<HTMLElement>('[role="tab"]')[next]?.focus()
  }
  return <div>
    <div class="tabs" role="tablist" aria-label={label} ref={list} onKeyDown={walk}>
      {tabs.map((tab, index) => <button key={tab.id} type="button" role="tab" id={`${id}-${tab.id}`} aria-controls={`${id}-panel`}
        aria-selected={index === at} tabIndex={index === at ? 0 : -1} onClick={() => onChange(tab.id)}>
        {tab.title}{tab.extra}
      </button>)}
    </div>
    {shown && <div key={shown.id} class="tabpanel" role="tabpanel" id={`${id}-panel`} aria-labelledby={`${id}-${shown.id}`}>
      {shown.view()}
    </div>}
  </div>
}
