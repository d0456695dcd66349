// Palette: goes to a page or does a thing by a few letters of its name (Ctrl K).

import { signal } from '@preact/signals'
import { useId, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { step } from '../lib/keyboard'
import { Icon, type IconName } from './icon'
import './palette.css'

export interface Command {
  title: string
  icon: IconName
  /** What kind of thing it is: "domain". */
  kind?: string
  run: () => void
}

export const paletteOpen = signal(false)

export function Palette({ commands }: { commands: readonly Command[] }) {
  const dialog = useRef<HTMLDialogElement>(null), id = useId()
  const [text, setText] = useState(''), [at, setAt] = useState(0)
  useLayoutEffect(() => {
    const before = document.activeElement, element = dialog.current
    element?.showModal()
    return () => {
      element?.close()
      if (before instanceof HTMLElement) before.focus()
    }
  }, [])
  const found = matching(commands, text).slice(0, 50)
  const close = () => { paletteOpen.value = false }
  const run = (command: Command | undefined) => {
    if (!command) return
    close()
    command.run()
  }
  const pressed = (event: KeyboardEvent) => {
    if (event.key === 'Enter') {
      event.preventDefault()
      run(found[at])
    } else if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault()
      setAt(step(event.key, at, Math.max(1, found.length)) ?? 0)
    }
  }
  return <dialog ref={dialog} class="palette" aria-label="Go to" onCancel={event => {
    event.preventDefault()
    close()
  }} onClick={event => { if (event.target === dialog.current) close() }}>
    <input value={text} placeholder="Go to…" role="combobox" aria-expanded="true" aria-controls={id} aria-label="Go to"
      aria-activedescendant={found[at] ? `${id}-${at}` : undefined} autocomplete="off" spellcheck={false} onKeyDown={pressed}
      onInput={event => {
        setText(event.currentTarget.value)
        setAt(0)
      }} />
    <ul role="listbox" id={id} aria-label="Places">
      {found.map((command, index) => <li key={`${command.kind ?? ''} ${command.title}`} id={`${id}-${index}`} role="option"
        aria-selected={index === at} onPointerMove={() => setAt(index)} onClick={() => run(command)}>
        <Icon name={command.icon} size={16} />{command.title}{command.kind && <span class="muted">{command.kind}</span>}
      </li>)}
    </ul>
  </dialog>
}

/** Those whose title or kind has each of the words, the ones that begin with the text first. */
export function matching(commands: readonly Command[], text: string): readonly Command[] {
  const words = text.toLowerCase().split(/\s+/).filter(word => word !== '')
  const found = commands.filter(one => words.every(word => `${one.title} ${one.kind ?? ''}`.toLowerCase().includes(word)))
  const begins = (one: Command) => one.title.toLowerCase().startsWith(text.toLowerCase().trim())
  return [...found.filter(begins), ...found.filter(one => !begins(one))]
}
