// RecipientField: addresses as chips, with a field at their end that completes from whom one writes to. A list that is
// pasted becomes chips; what is no address stays, in red, until it is mended. Below each chip the security of its domain.

import { useEffect, useId, useLayoutEffect, useRef, useState } from 'preact/hooks'
import type { Recipient } from '../../api/jmap/types'
import { Icon } from '../../kit'
import { mixedScripts } from '../../lib/scripts'
import { canonical, flaw, parseAddresses, unique, writeAddress, type Address } from './addresses'
import { suggestions, suggestionsAtHand } from './people'
import { explained, securityOf, SEGMENTS } from './security'

interface Props {
  label: string
  addresses: readonly Address[]
  onChange: (addresses: readonly Address[]) => void
  /** Whether the security of each is shown. */
  secure: boolean
  focus?: boolean
  /** Of all fields: they are not suggested again. */
  known: readonly Address[]
  /** Behind the field. */
  extra?: preact.ComponentChildren
  onEmptyBackspace?: () => void
}

export function RecipientField({ label, addresses, onChange, secure, focus = false, known, extra }: Props) {
  const id = useId(), input = useRef<HTMLInputElement>(null), box = useRef<HTMLDivElement>(null)
  const [text, setText] = useState(''), [found, setFound] = useState<readonly Recipient[]>([]), [at, setAt] = useState(0), [open, setOpen] = useState(false)
  const latest = useRef('')
  latest.current = text
  useLayoutEffect(() => { if (focus) input.current?.focus() }, [])
  useEffect(() => {
    if (!open) return
    const show = (list: readonly Recipient[]) => {
      const taken = new Set(known.map(one => canonical(one.email)))
      setFound(list.filter(one => !taken.has(canonical(one.email))).slice(0, 8))
      setAt(0)
    }
    const here = suggestionsAtHand(text)
    if (here) {
      show(here)
      return
    }
    const timer = setTimeout(() => { void suggestions(text).then(list => { if (latest.current === text) show(list) }) }, 120)
    return () => clearTimeout(timer)
  }, [text, open, known.length])
  const listed = open && text.trim() !== '' ? found : []

  const add = (more: readonly Address[]) => {
    onChange([...addresses, ...unique(more, addresses)])
    setText('')
  }
  /** Turns what is typed into chips. */
  const commit = (): boolean => {
    if (latest.current.trim() === '') return false
    add(parseAddresses(latest.current))
    return true
  }
  const accept = (one: Recipient) => {
    add([{ name: one.name || null, email: one.email }])
    input.current?.focus()
  }
  const chips = () => [...box.current?.querySelectorAll<HTMLElement>('.recipient') ?? []]
  const remove = (index: number) => {
    onChange(addresses.filter((_, other) => other !== index))
    requestAnimationFrame(() => (chips()[Math.min(index, chips().length - 1)] ?? input.current)?.focus())
  }
  const edit = (index: number) => {
    const one = addresses[index]
    if (!one) return
    if (latest.current.trim() !== '') commit()
    onChange(addresses.filter((_, other) => other !== index))
    setText(writeAddress(one))
    requestAnimationFrame(() => input.current?.focus())
  }

  const typed = (event: KeyboardEvent) => {
    if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return
    const chosen = listed[at]
    switch (event.key) {
      case 'ArrowDown': case 'ArrowUp':
        if (listed.length === 0) return
        setAt((at + (event.key === 'ArrowDown' ? 1 : listed.length - 1)) % listed.length)
        break
      case 'Enter':
        if (chosen && isMeant(chosen, text)) accept(chosen)
        else if (!commit()) return
        break
      case 'Tab':
        // Goes on to the next field only when there was nothing to accept.
        if (event.shiftKey || !chosen || !isMeant(chosen, text)) return
        accept(chosen)
        break
      case ',': case ';':
        if (/"[^"]*$/.test(text.replace(/\\./g, ''))) return
        if (!/@|^\s*$/.test(text)) return
        commit()
        break
      case 'Escape':
        if (listed.length === 0) return
        setOpen(false)
        break
      case 'Backspace': case 'ArrowLeft':
        if (input.current?.selectionStart !== 0 || input.current.selectionEnd !== 0 || addresses.length === 0) return
        chips().at(-1)?.focus()
        break
      default: return
    }
    event.preventDefault()
    event.stopPropagation()
  }
  const walk = (event: KeyboardEvent, index: number) => {
    switch (event.key) {
      case 'ArrowLeft': chips()[Math.max(0, index - 1)]?.focus(); break
      case 'ArrowRight': (chips()[index + 1] ?? input.current)?.focus(); break
      case 'Backspace': case 'Delete':
        if (event.ctrlKey || event.metaKey) return
        remove(index)
        break
      case 'Enter': case 'F2':
        if (event.ctrlKey || event.metaKey) return
        edit(index)
        break
      default: return
    }
    event.preventDefault()
    event.stopPropagation()
  }
  const pasted = (event: ClipboardEvent) => {
    const list = event.clipboardData?.getData('text/plain') ?? ''
    const many = parseAddresses(list)
    if (many.length === 0 || (many.length === 1 && (flaw(many[0]?.email ?? '') !== null || text.trim() !== ''))) return
    event.preventDefault()
    add([...text.trim() === '' ? [] : parseAddresses(text), ...many])
  }
  return <div class="composerow recipients" ref={box} onClick={event => {
    if (event.target === event.currentTarget || (event.target as HTMLElement).classList.contains('recipientlist')) input.current?.focus()
  }}>
    <label for={id}>{label}</label>
    <div class="recipientlist">
      {addresses.map((one, index) => <Chip key={`${one.email} ${index}`} address={one} secure={secure} onRemove={() => remove(index)} onEdit={() => edit(index)}
        onKey={event => walk(event, index)} />)}
      <span class="complete">
        <input id={id} ref={input} value={text} role="combobox" aria-autocomplete="list" aria-expanded={listed.length > 0} aria-controls={`${id}-list`}
          aria-activedescendant={listed[at] ? `${id}-${at}` : undefined} autocomplete="off" autocapitalize="off" spellcheck={false} type="text" inputMode="email"
          onInput={event => {
            setText(event.currentTarget.value)
            setOpen(true)
          }} onFocus={() => { void suggestions('') }} onKeyDown={typed} onPaste={pasted} onBlur={() => {
            setOpen(false)
            commit()
          }} />
        {listed.length > 0 && <ul class="completions" role="listbox" id={`${id}-list`} aria-label="Suggestions">
          {listed.map((one, index) => <li key={one.email} id={`${id}-${index}`} role="option" aria-selected={index === at} onPointerMove={() => setAt(index)}
            onPointerDown={event => {
              // Before the field loses the focus.
              event.preventDefault()
              accept(one)
            }}>
            <span class="initial" aria-hidden="true">{initial(one)}</span>
            <span><span class="strong">{marked(one.name || one.email, text)}</span>{one.name && <span class="muted small">{marked(one.email, text)}</span>}</span>
          </li>)}
        </ul>}
      </span>
    </div>
    {extra}
  </div>
}

/** Not when a whole address was typed: a suggestion may only have it within. */
function isMeant(chosen: Recipient, text: string): boolean {
  const [one, ...more] = parseAddresses(text)
  const isWhole = one !== undefined && more.length === 0 && flaw(one.email) === null && /\.[^.]{2,}$/.test(one.email)
  return !isWhole || canonical(one.email) === canonical(chosen.email)
}

function initial({ name, email }: { name: string | null, email: string }): string {
  return ([...(name || email).replace(/[^\p{L}\p{N}]/gu, '')][0] ?? '?').toUpperCase()
}

/** The part that was typed, in bold. */
function marked(value: string, text: string) {
  const at = value.toLowerCase().indexOf(text.trim().toLowerCase())
  if (at < 0 || text.trim() === '') return value
  const end = at + text.trim().length
  return <>{value.slice(0, at)}<mark>{value.slice(at, end)}</mark>{value.slice(end)}</>
}

interface ChipProps {
  address: Address
  secure: boolean
  onRemove: () => void
  onEdit: () => void
  onKey: (event: KeyboardEvent) => void
}

function Chip({ address, secure, onRemove, onEdit, onKey }: ChipProps) {
  const wrong = flaw(address.email), strange = mixedScripts(address.email.split('@').at(-1) ?? '')
  const title = wrong ?? `${writeAddress(address)}${strange ? '\nMixes letters of several scripts: it may not be what it looks like' : ''}`
  return <span class={`recipient${wrong ? ' wrong' : ''}${strange ? ' strange' : ''}`} tabIndex={-1} title={title} onKeyDown={onKey} onDblClick={onEdit} role="group"
    aria-label={`${writeAddress(address)}${wrong ? `: ${wrong}` : ''}`}>
    <span class="text">{address.name || address.email}</span>
    <button type="button" tabIndex={-1} aria-label={`Remove ${address.email}`} onClick={onRemove}><Icon name="cross" size={12} /></button>
    {secure && !wrong && <SecurityBar email={address.email} />}
  </span>
}

function SecurityBar({ email }: { email: string }) {
  const one = securityOf(email).value
  return <span class="segments" role="img" title={one ? explained(one) : 'Being looked up'} aria-label={one ? explained(one).replace(/\n/g, '; ') : 'Security is being looked up'}>
    {SEGMENTS.map(([name]) => <i key={name} class={one?.[name] ?? 'pending'} />)}
  </span>
}
