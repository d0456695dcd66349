// Dialog: a native <dialog>, modal, closed by Escape; focus goes back to where it was. Its content exists only while it
// is open. confirm(question): asks before something that cannot be taken back, tells what follows from it, and for the
// worst wants a word typed. Confirmations is the place where it asks, once in an application.

import { signal } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import { useId, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { Button } from './button'
import './dialog.css'

interface Props {
  title: string
  onClose: () => void
  wide?: boolean
  /** Without a button to close and without Escape: for logging in. */
  firm?: boolean
  children: ComponentChildren
}

/** Rendered means open: `{shown.value && <Dialog ...>}`. */
export function Dialog({ title, onClose, wide, firm, children }: Props) {
  const element = useRef<HTMLDialogElement>(null), heading = useId()
  useLayoutEffect(() => {
    const before = document.activeElement, dialog = element.current
    dialog?.showModal()
    return () => {
      dialog?.close()
      if (before instanceof HTMLElement && before.isConnected) before.focus()
    }
  }, [])
  // What is only to be read is scrolled by keys, too; not every browser gives such a box the focus by itself.
  useLayoutEffect(() => {
    const box = element.current?.querySelector<HTMLElement>(':scope > .body')
    if (box && !box.querySelector('a, button, input, select, textarea, [tabindex]')) box.tabIndex = 0
  }, [])
  const cancel = (event: Event) => {
    event.preventDefault()
    if (!firm) onClose()
  }
  return <dialog ref={element} class={`dialog${wide ? ' wide' : ''}`} aria-labelledby={heading} onCancel={cancel}>
    <header role="none">
      <h2 id={heading}>{title}</h2>
      {!firm && <Button tone="quiet" small square icon="cross" onPress={onClose}>Close</Button>}
    </header>
    <div class="body">{children}</div>
  </dialog>
}

/** Buttons at a dialog's end. */
export function Actions({ children }: { children: ComponentChildren }) {
  return <div class="actions">{children}</div>
}

export interface Question {
  title: string
  text?: ComponentChildren
  /** What follows, a sentence each. */
  consequences?: readonly string[]
  /** The verb on the button: `Remove domain`. */
  action: string
  /** Not for what loses something. */
  harmless?: boolean
  /** A word, mostly the thing's name, that has to be typed. */
  type?: string
}

const asked = signal<{ question: Question, answer: (yes: boolean) => void } | null>(null)

/** Whether people want it. A second question answers the first with no. */
export function confirm(question: Question): Promise<boolean> {
  asked.value?.answer(false)
  return new Promise(resolve => {
    asked.value = {
      question,
      answer: yes => {
        asked.value = null
        resolve(yes)
      },
    }
  })
}

export function Confirmations() {
  const one = asked.value
  return one && <Confirmation key={one.question} question={one.question} answer={one.answer} />
}

function Confirmation({ question, answer }: { question: Question, answer: (yes: boolean) => void }) {
  const [typed, setTyped] = useState(''), field = useId()
  const missing = question.type !== undefined && typed.trim() !== question.type
  return <Dialog title={question.title} onClose={() => answer(false)}>
    <form class="stack" onSubmit={event => {
      event.preventDefault()
      if (!missing) answer(true)
    }}>
      {question.text && <div>{question.text}</div>}
      {question.consequences && question.consequences.length > 0 &&
        <ul class="consequences">{question.consequences.map(one => <li key={one}>{one}</li>)}</ul>}
      {question.type !== undefined && <div class="field">
        <label for={field}>Type <code>{question.type}</code> to confirm</label>
        <input id={field} class="input" value={typed} autofocus autocomplete="off" autocapitalize="off" spellcheck={false}
          onInput={event => setTyped(event.currentTarget.value)} />
      </div>}
      <Actions>
        <Button onPress={() => answer(false)} autofocus={question.type === undefined}>Cancel</Button>
        <Button type="submit" tone={question.harmless ? 'primary' : 'destroy'} disabled={missing}>{question.action}</Button>
      </Actions>
    </form>
  </Dialog>
}
