// The search field: it suggests while one types, and has a form for those who do not know its language.

import { signal } from '@preact/signals'
import { useEffect, useId, useRef, useState } from 'preact/hooks'
import { call } from '../api/jmap/client'
import { Actions, Button, Dialog, Icon, type IconName } from '../kit'
import { step } from '../lib/keyboard'
import { ignoreProblem, labels, names } from './model'
import { mailboxIcon } from './mailboxes'
import { place, toMailbox, toSearch } from './place'
import { ATTACHMENTS, pack, parse, TAGS, type Tag, type Term } from './query'
import { mailbox } from './view'

/** What was looked for since the page was loaded. It is not kept longer: searches tell much. */
const recent = signal<readonly string[]>([])
const MOST_RECENT = 8

export const isFormOpen = signal(false)

export function focusSearch(): void {
  const input = document.querySelector<HTMLInputElement>('.search input')
  input?.focus()
  input?.select()
}

export function runSearch(text: string): void {
  const trimmed = text.trim()
  if (trimmed === '') {
    if (place.peek().search !== null) toMailbox('')
    return
  }
  recent.value = [trimmed, ...recent.peek().filter(one => one !== trimmed)].slice(0, MOST_RECENT)
  performance.mark('webmail:search')
  toSearch(trimmed)
}

export interface Suggestion {
  icon: IconName
  /** What stands in the list, and what it stands for. */
  text: string
  note: string
  /** The whole field after it was chosen. */
  field: string
  /** Whether it can be looked for at once. */
  isWhole: boolean
}

/** The part of the field that is being typed, and what stands before it. */
export function lastPart(field: string): { before: string, tag: Tag | null, not: boolean, value: string } {
  const match = /^((?:[^\s"]|"[^"]*"|\s+)*?)(-?)(?:(\w+):)?((?:"[^"]*|[^\s"]*))$/s.exec(field)
  if (!match) return { before: field, tag: null, not: false, value: '' }
  const [, before = '', not = '', name, value = ''] = match
  const [term] = name === undefined ? [] : parse(`${name}:x`)
  const tag = term && term.tag !== 'word' ? term.tag : null
  return { before, tag, not: not !== '', value: (tag === null && name !== undefined ? `${name}:${value}` : value).replace(/^"/, '') }
}

/** Suggestions that need nobody to be asked. */
export function suggestions(field: string, known: { mailboxes: readonly (readonly [string, IconName])[], labels: readonly string[], recent: readonly string[] }): Suggestion[] {
  if (field.trim() === '') return known.recent.map(text => ({ icon: 'history', text, note: 'recent', field: text, isWhole: true }))
  const { before, tag, not, value } = lastPart(field), lower = value.toLowerCase()
  const made = (term: Term, text: string, note: string, icon: IconName): Suggestion => ({ icon, text, note, field: `${before}${pack([{ ...term, not: not && TAGS[term.tag].not }])}`, isWhole: true })
  const boxes = (of: 'mailbox' | 'submb', most: number) => known.mailboxes.filter(([name]) => name.toLowerCase().includes(lower)).slice(0, most)
    .map(([name, icon]) => made({ tag: of, not: false, value: name }, name, 'mailbox', icon))
  const tagged = (most: number) => known.labels.filter(name => name.includes(lower)).slice(0, most).map(name => made({ tag: 'label', not: false, value: name }, name, 'label', 'tag'))
  switch (tag) {
    case 'mailbox': case 'submb': return boxes(tag, 8)
    case 'label': return tagged(8)
    case 'attachments': return ATTACHMENTS.filter(one => one.startsWith(lower)).map(one => made({ tag, not: false, value: one }, one, 'attachments', 'attach'))
    case 'is': return ['unread', 'read', 'flagged', 'answered', 'draft'].filter(one => one.startsWith(lower)).map(one => made({ tag, not: false, value: one }, one, 'state', 'check'))
    case null: break
    default: return []
  }
  if (value === '') return []
  const tags = lower.length < 1 ? [] : (Object.keys(TAGS) as Tag[]).filter(one => one !== 'word' && one.startsWith(lower) && one !== lower).slice(0, 3)
    .map((one): Suggestion => ({ icon: 'filter', text: `${one}:`, note: TAGS[one].what, field: `${before}${not ? '-' : ''}${one}:`, isWhole: false }))
  const old = known.recent.filter(one => one.toLowerCase().startsWith(field.trim().toLowerCase()) && one !== field.trim()).slice(0, 3)
    .map((text): Suggestion => ({ icon: 'history', text, note: 'recent', field: text, isWhole: true }))
  return lower.length < 2 ? [...old, ...tags] : [...old, ...tags, ...boxes('mailbox', 2), ...tagged(2)]
}

interface Person { name: string, email: string }

export function SearchField() {
  const id = useId(), input = useRef<HTMLInputElement>(null), box = useRef<HTMLDivElement>(null)
  const shown = place.value.search ?? '', [text, setText] = useState(shown), [isOpen, setOpen] = useState(false), [at, setAt] = useState(-1)
  const [people, setPeople] = useState<readonly Person[]>([])
  useEffect(() => setText(shown), [shown])
  const { before, tag, not, value } = lastPart(text), asks = isOpen && value.length >= 2 && (tag === null || tag === 'from' || tag === 'to') ? value : ''
  useEffect(() => {
    if (asks === '') return setPeople([])
    let left = false
    const timer = setTimeout(() => {
      call('Recipient/query', { text: asks, limit: 5 }).then(({ list }) => { if (!left) setPeople(list) }, ignoreProblem)
    }, 80)
    return () => {
      left = true
      clearTimeout(timer)
    }
  }, [asks])
  const found: Suggestion[] = [
    ...people.map(({ name, email }): Suggestion => ({
      icon: 'person', text: name ? `${name} <${email}>` : email, note: tag === 'to' ? 'to' : 'from', isWhole: true,
      field: `${before}${pack([{ tag: tag === 'to' ? 'to' : 'from', not, value: email }])}`,
    })),
    ...suggestions(text, { mailboxes: [...names.value].map(([name, one]) => [name, mailboxIcon(one)] as const), labels: labels.value, recent: recent.value }),
  ]
  const search = (what: string) => {
    setOpen(false)
    setAt(-1)
    runSearch(what)
    document.getElementById('messages')?.focus()
  }
  const choose = (one: Suggestion) => {
    setAt(-1)
    if (one.isWhole) {
      setText(one.field)
      search(one.field)
    } else {
      setText(one.field)
      input.current?.focus()
    }
  }
  const pressed = (event: KeyboardEvent) => {
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault()
      setOpen(true)
      if (found.length > 0) setAt(at < 0 ? (event.key === 'ArrowDown' ? 0 : found.length - 1) : step(event.key, at, found.length) ?? 0)
    } else if (event.key === 'Enter') {
      event.preventDefault()
      const one = isOpen ? found[at] : undefined
      if (one) choose(one)
      else search(text)
    } else if (event.key === 'Tab' && isOpen && found[at]) {
      event.preventDefault()
      setText(`${found[at].field}${found[at].isWhole ? ' ' : ''}`)
      setAt(-1)
    } else if (event.key === 'Escape') {
      event.preventDefault()
      if (isOpen && found.length > 0) setOpen(false)
      else {
        setText(shown)
        document.getElementById('messages')?.focus()
      }
    }
  }
  return <div class="search" role="search" ref={box} onFocusOut={event => { if (!box.current?.contains(event.relatedTarget as Node | null)) setOpen(false) }}>
    <Icon name="search" size={16} />
    <input ref={input} type="text" inputMode="search" value={text} placeholder={mailbox.value ? 'Search mail' : 'Search'} aria-label="Search mail" role="combobox" aria-autocomplete="list" aria-controls={id}
      aria-expanded={isOpen && found.length > 0} aria-activedescendant={isOpen && found[at] ? `${id}-${at}` : undefined} autocomplete="off" autocapitalize="off" spellcheck={false} enterkeyhint="search"
      onFocus={() => setOpen(true)} onClick={() => setOpen(true)} onKeyDown={pressed} onInput={event => {
        setText(event.currentTarget.value)
        setOpen(true)
        setAt(-1)
      }} />
    {(text !== '' || shown !== '') && <Button tone="quiet" small square icon="cross" title="End the search" onPress={() => {
      setText('')
      if (place.peek().search !== null) toMailbox('')
    }}>End the search</Button>}
    <Button tone="quiet" small square icon="filter" title="Search form" onPress={() => { isFormOpen.value = true }}>Search form</Button>
    {isOpen && found.length > 0 && <ul role="listbox" id={id} aria-label="Suggestions" class="suggestions">
      {found.map((one, index) => <li key={`${one.note} ${one.text}`} id={`${id}-${index}`} role="option" aria-selected={index === at} onPointerDown={event => event.preventDefault()}
        onPointerMove={() => setAt(index)} onClick={() => choose(one)}>
        <Icon name={one.icon} size={15} /><span class="text">{one.text}</span><span class="muted small">{one.note}</span>
      </li>)}
    </ul>}
    {isFormOpen.value && <SearchForm start={text} />}
  </div>
}

// The form: it writes the text of the field.

const FIELDS: readonly (readonly [tag: Tag, label: string, hint: string])[] = [
  ['word', 'Words', 'anywhere in the message'], ['from', 'From', ''], ['to', 'To, Cc, Bcc', ''], ['subject', 'Subject', ''],
]

function SearchForm({ start }: { start: string }) {
  const [terms, setTerms] = useState<readonly Term[]>(() => parse(start))
  const close = () => { isFormOpen.value = false }
  const first = (tag: Tag, not = false) => terms.filter(one => one.tag === tag && one.not === not).map(one => /\s/.test(one.value) && tag === 'word' ? `"${one.value}"` : one.value).join(' ')
  const put = (tag: Tag, value: string, not = false) => {
    const others = terms.filter(one => one.tag !== tag || one.not !== not)
    const words: readonly Term[] = tag === 'word' ? parse(value).map(one => ({ ...one, not })) : [{ tag, not, value }]
    setTerms(value === '' ? others : [...others, ...words])
  }
  const text = (tag: Tag, label: string, hint = '', type = 'text') => {
    const id = `search-${tag}`
    return <div class="field" key={tag}><label for={id}>{label}</label><input id={id} class="input" type={type as 'text'} value={first(tag)} placeholder={hint} autocomplete="off" onChange={event => put(tag, event.currentTarget.value)} /></div>
  }
  const scope = terms.find(one => one.tag === 'mailbox' || one.tag === 'submb')
  return <Dialog title="Search" wide onClose={close}>
    <form class="stack" onSubmit={event => {
      event.preventDefault()
      close()
      runSearch(pack(terms))
    }}>
      <div class="fields">
        {FIELDS.map(([tag, label, hint]) => text(tag, label, hint))}
        <div class="field"><label for="search-not">Without the words</label><input id="search-not" class="input" value={first('word', true)} autocomplete="off" onChange={event => put('word', event.currentTarget.value, true)} /></div>
        <div class="field"><label for="search-box">Mailbox</label><select id="search-box" class="input" value={scope === undefined ? '-' : scope.value} onChange={event => {
          const others = terms.filter(one => one !== scope), value = event.currentTarget.value
          setTerms(value === '-' ? others : [...others, { tag: 'mailbox', not: false, value }])
        }}>
          <option value="-">All but Trash, Junk and Rejects</option><option value="">All</option>
          {[...names.value.keys()].map(name => <option key={name} value={name}>{name}</option>)}
        </select></div>
        {scope && scope.value !== '' && <div class="check"><input type="checkbox" id="search-sub" checked={scope.tag === 'submb'} onChange={event =>
          setTerms([...terms.filter(one => one !== scope), { ...scope, tag: event.currentTarget.checked ? 'submb' : 'mailbox' }])} /><label for="search-sub">And the mailboxes below it</label></div>}
        {text('start', 'Received since', '', 'date')}
        {text('end', 'Received until', '', 'date')}
        <div class="field"><label for="search-att">Attachments</label><select id="search-att" class="input" value={first('attachments')} onChange={event => put('attachments', event.currentTarget.value)}>
          <option value="">do not matter</option>{ATTACHMENTS.map(one => <option key={one} value={one}>{one}</option>)}
        </select></div>
        <div class="field"><label for="search-label">Label</label><select id="search-label" class="input" value={first('label')} onChange={event => put('label', event.currentTarget.value)}>
          <option value="">does not matter</option>{[...new Set([...labels.value, ...terms.filter(one => one.tag === 'label').map(one => one.value)])].map(one => <option key={one}>{one}</option>)}
        </select></div>
        {text('minsize', 'At least', '500k')}
        {text('maxsize', 'At most', '2m')}
        {text('header', 'Header', 'List-Id:example')}
      </div>
      <p class="muted small">As text: <code>{pack(terms) || '–'}</code></p>
      <Actions><Button onPress={() => setTerms([])}>Clear</Button><Button type="submit" tone="primary" icon="search">Search</Button></Actions>
    </form>
  </Dialog>
}
