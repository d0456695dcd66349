// Where one is, in the address: `#Inbox`, `#Lists/Python,M12`, `#search from:ann,M12`; `#compose mailto:...` begins a message.
// A third part, `#Inbox,,compose:M34`, is the draft one writes, so that the page opens with it again.

import { signal } from '@preact/signals'
import type { Id } from '../api/jmap/types'

export interface Place {
  /** Name of the mailbox with those above it, `Lists/Python`; '' for the Inbox, before mailboxes are known. */
  readonly mailbox: string
  /** What is looked for, in place of a mailbox. */
  readonly search: string | null
  /** The message that is open. */
  readonly email: Id | null
}

const SEARCH = 'search ', COMPOSE = 'compose ', WRITING = 'compose:'

export function parsePlace(hash: string): Place {
  const [first = '', email = ''] = hash.replace(/^#/, '').split(',')
  const name = decode(first)
  return name.startsWith(SEARCH) ? { mailbox: '', search: name.slice(SEARCH.length), email: email || null }
    : { mailbox: name.startsWith(COMPOSE) ? '' : name, search: null, email: email || null }
}

export function placeHref({ mailbox, search, email }: Place): string {
  // A mailbox that is called like a search is found by one.
  const special = search === null && (mailbox.startsWith(SEARCH) || mailbox.startsWith(COMPOSE))
  const name = search !== null ? SEARCH + search : special ? `${SEARCH}mb:"${mailbox.replace(/"/g, '""')}"` : mailbox
  return `#${encodeURIComponent(name).replace(/%2F/g, '/').replace(/%3A/g, ':')}${email === null ? '' : `,${email}`}`
}

/** The draft that is written, in the address. */
export function writingOf(hash: string): Id | null {
  const part = hash.split(',')[2] ?? ''
  return part.startsWith(WRITING) && part.length > WRITING.length ? part.slice(WRITING.length) : null
}

/** An address with it. */
export function withWriting(address: string, draft: Id | null): string {
  return draft === null ? address : `${address}${address.includes(',') ? '' : ','},${WRITING}${draft}`
}

/** The `mailto:` address that the page was opened for. */
export function mailtoOf(hash: string): string | null {
  const text = decode(hash.replace(/^#/, ''))
  return text.startsWith(`${COMPOSE}mailto:`) ? text.slice(COMPOSE.length) : null
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

export const place = signal<Place>(parsePlace(location.hash))

let writing: Id | null = null

/** Which draft is written now. */
export function noteWriting(draft: Id | null): void {
  if (draft === writing) return
  writing = draft
  history.replaceState(history.state, '', withWriting(placeHref(place.peek()), writing))
}

/** Goes there: with a step in the history that leads back, or without. */
export function go(to: Partial<Place>, replace = false): void {
  const before = place.peek(), next = { ...before, ...to }, address = placeHref(next)
  if (address !== placeHref(before) || location.hash === '') {
    const isOverList = before.email === null && next.email !== null && before.mailbox === next.mailbox && before.search === next.search
    if (replace) history.replaceState(history.state, '', withWriting(address, writing))
    else history.pushState({ isOverList }, '', withWriting(address, writing))
  }
  place.value = next
}

export const toMailbox = (mailbox: string) => go({ mailbox, search: null, email: null })
export const toSearch = (search: string) => go({ mailbox: '', search, email: null })
/** From message to message without steps, so that one step leads back to the list. */
export function toEmail(email: Id | null): void {
  if (email === null && (history.state as { isOverList?: boolean } | null)?.isOverList) {
    place.value = { ...place.peek(), email }
    history.back()
  } else go({ email }, place.peek().email !== null || email === null)
}

export function startPlace(): void {
  const follow = () => { place.value = parsePlace(location.hash) }
  window.addEventListener('popstate', follow)
  window.addEventListener('hashchange', follow)
}
