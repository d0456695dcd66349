// The keys of the page: one table, which also makes the help sheet.

import type { Id } from '../api/jmap/types'
import { closePopup } from '../kit'
import { isTyping } from '../lib/keyboard'
import * as actions from './actions'
import { viewAttachments } from './attachments'
import { COMPOSE_KEYS, composeShown, openCompose } from './compose'
import { internals } from './dialogs'
import { helpOpen } from './help'
import { labelMenu, rowMenu } from './list'
import { moveMenu } from './mailboxes'
import { answer, answerListOrSender, chooseMode, current, openDocument, shownMode } from './message'
import { email, fullEmail, ignoreProblem, nameOf, preferences } from './model'
import { place, toEmail, toMailbox } from './place'
import { focusSearch } from './search'
import {
  activate, active, allHeaders, clearSelection, extend, fold, isAllSelected, isNarrow, isUnfolded, mailbox, rows, selectAll, selected, selectMany, step, target, targetOf, toggle,
} from './view'

interface Key {
  /** As `KeyboardEvent.key`, with ctrl+, alt+ or shift+ before it. The first is the one that help shows. */
  keys: readonly string[]
  what: string
  run: (event: KeyboardEvent) => unknown
  /** Where it means something: not told in the help sheet. */
  when?: () => boolean
}

export interface KeyGroup { title: string, keys: readonly Key[] }

/** Rows that a page of the list has. */
function page(): number {
  const box = document.getElementById('messages'), high = box?.querySelector('.place')?.clientHeight
  return box && high ? Math.max(1, Math.floor(box.clientHeight / high) - 1) : 10
}

/** Goes to a row: opens it where there is room beside the list; with Ctrl only the mark moves, with Shift the choice grows. */
function to(id: Id | null, event: KeyboardEvent): void {
  if (id === null) return
  // Of letters these are capitals; signs as , need none.
  const extends_ = event.key.length > 1 ? event.shiftKey : /^\p{Lu}$/u.test(event.key)
  if (extends_) extend(id)
  else if (!event.ctrlKey && !event.metaKey) clearSelection()
  activate(id)
  if (event.ctrlKey || event.metaKey || extends_) return
  if (isNarrow.peek() && place.peek().email === null) return
  openRow(id)
}

function openRow(id: Id): void {
  performance.mark('webmail:press')
  if (email(id).peek()?.keywords['$draft'] && mailbox.peek()?.role === 'drafts') openCompose({ kind: 'draft', emailId: id })
  else toEmail(id)
}

/** The next row for which something holds, from the active one on. */
function find(by: number, holds: (id: Id) => boolean): Id | null {
  const all = rows.peek()
  for (let index = (active.peek() === null ? -1 : all.indexOf(active.peek() ?? '')) + by; index >= 0 && index < all.length; index += by) {
    const id = all.at(index)?.id
    if (id === undefined) return null
    if (holds(id)) return id
  }
  return null
}

const isUnread = (id: Id) => [id, ...rows.peek().at(rows.peek().indexOf(id))?.hidden ?? []].some(one => email(one).peek() && !email(one).peek()?.keywords['$seen'])

function isRoot(id: Id): boolean {
  const row = rows.peek().at(rows.peek().indexOf(id))
  return row !== undefined && (!row.isMember || row.isFirst)
}

function act(run: (of: actions.Target) => unknown, whole = false) {
  return async () => {
    const what = target(whole)
    if (!('query' in what) && what.length === 0) return
    await run(what)
    if (isAllSelected.peek()) clearSelection()
  }
}

const activeRow = () => document.getElementById(`row-${active.peek() ?? ''}`) ?? document.getElementById('messages') ?? document.body

function currentLetter(): HTMLElement | null {
  return document.querySelector<HTMLElement>(`#message [data-email="${CSS.escape(current.peek() ?? '')}"] iframe.document`)
}

function scrollMessage(by: number): void {
  const pane = document.getElementById('message')
  if (!pane) return
  const left = by > 0 ? pane.scrollHeight - pane.clientHeight - pane.scrollTop : pane.scrollTop
  // A letter in a frame is scrolled by the browser's own keys, which it gets where there is nothing else to scroll.
  if (left < 2) currentLetter()?.focus({ preventScroll: true })
  else if (Math.abs(by) === Infinity) pane.scrollTo({ top: by > 0 ? pane.scrollHeight : 0 })
  else pane.scrollBy({ top: by })
}

export const KEYS: readonly KeyGroup[] = [
  { title: 'Anywhere', keys: [
    { keys: ['c'], what: 'Write a message', run: () => openCompose({ kind: 'new' }) },
    { keys: ['/'], what: 'Search', run: () => focusSearch() },
    { keys: ['i'], what: 'To the Inbox', run: () => toMailbox('') },
    { keys: ['g'], what: 'To another mailbox', run: () => moveMenu(document.querySelector('.mailboxes') ?? document.body, box => toMailbox(nameOf(box))) },
    { keys: ['ctrl+k'], what: 'Do anything by its name', run: () => undefined, when: () => false },
    { keys: ['ctrl+m'], what: 'Focus to the message', run: () => (currentLetter() ?? document.getElementById('message'))?.focus() },
    { keys: ['b'], what: 'Menu of the mailbox one is in', run: () => document.querySelector<HTMLElement>('.mailboxes a[aria-current]')?.parentElement?.querySelector('button:last-child')?.dispatchEvent(new MouseEvent('click', { bubbles: true })) },
    { keys: ['?'], what: 'This help', run: () => { helpOpen.value = true } },
    { keys: ['ctrl+?'], what: 'What the thing does that has the focus, and its key', run: () => undefined, when: () => false },
    { keys: ['Escape'], what: 'Back: choose none, close the message', run: () => {
      if (selected.peek().size > 0 || isAllSelected.peek()) clearSelection()
      else if (place.peek().email !== null) toEmail(null)
      else return
      document.getElementById('messages')?.focus({ preventScroll: true })
    } },
  ] },
  { title: 'List', keys: [
    { keys: ['j', 'ArrowDown', 'ctrl+j', 'ctrl+ArrowDown', 'shift+ArrowDown'], what: 'The one below; with Shift it is chosen, too; with Ctrl it is not opened', run: event => to(step(1), event) },
    { keys: ['k', 'ArrowUp', 'ctrl+ArrowUp', 'shift+ArrowUp'], what: 'The one above', run: event => to(step(-1), event) },
    { keys: ['J'], what: 'Choose to the one below', run: event => to(step(1), event) },
    { keys: ['K'], what: 'Choose to the one above', run: event => to(step(-1), event) },
    { keys: ['Enter'], what: 'Open', run: () => { if (active.peek() !== null) openRow(active.peek() ?? '') }, when: () => document.activeElement === document.body || document.activeElement?.id === 'messages' },
    { keys: ['l', 'PageDown', 'L', 'shift+PageDown', 'ctrl+PageDown'], what: 'A page down; with Shift and Ctrl as above', run: event => to(step(page()), event) },
    { keys: ['h', 'PageUp', 'H', 'shift+PageUp', 'ctrl+PageUp'], what: 'A page up', run: event => to(step(-page()), event) },
    { keys: ['.', 'End', 'shift+End', 'ctrl+End', 'ctrl+.'], what: 'To the end', run: event => to(step(Infinity), event) },
    { keys: [',', 'Home', 'shift+Home', 'ctrl+Home', 'ctrl+,'], what: 'To the beginning', run: event => to(step(-Infinity), event) },
    { keys: ['u'], what: 'The next unread one', run: event => to(find(1, isUnread), event) },
    { keys: ['n'], what: 'The next thread', run: event => to(find(1, isRoot), event) },
    { keys: ['p'], what: 'The thread before', run: event => to(find(-1, isRoot), event) },
    { keys: [' ', 'x', 'ctrl+ '], what: 'Choose, or not', run: () => { if (active.peek() !== null) toggle(active.peek() ?? '') } },
    { keys: ['S'], what: 'Choose the thread', run: () => {
      const head = active.peek() === null ? undefined : email(active.peek() ?? '').peek(), all = rows.peek(), found: Id[] = []
      for (let index = 0; head && index < all.length; index += 1) {
        const id = all.at(index)?.id
        if (id !== undefined && email(id).peek()?.threadId === head.threadId) found.push(id)
      }
      if (found.length > 0) selectMany(found)
    } },
    { keys: ['ContextMenu', 'shift+F10'], what: 'Menu of the message', run: () => rowMenu(activeRow()) },
    { keys: ['ctrl+a', '*'], what: 'Choose all', run: () => selectAll() },
    { keys: ['ArrowRight'], what: 'Unfold the thread', run: () => { if (active.peek() !== null) fold(active.peek() ?? '', true) } },
    { keys: ['ArrowLeft'], what: 'Fold the thread', run: () => { if (active.peek() !== null) fold(active.peek() ?? '', false) } },
    { keys: ['C'], what: 'Keep the thread folded, or not', run: () => {
      const id = active.peek(), head = id === null ? undefined : email(id).peek()
      if (id === null || !head) return
      fold(id, isUnfolded(id) ? false : head.collapsed)
      void actions.collapse(targetOf(id, true), !head.collapsed)
    } },
  ] },
  { title: 'Message', keys: [
    { keys: ['r'], what: 'Reply: to the list it came from, or to its sender', run: () => answerListOrSender() },
    { keys: ['R'], what: 'Reply to all', run: () => answer('replyAll') },
    { keys: ['f'], what: 'Forward', run: () => answer('forward') },
    { keys: ['e'], what: 'Go on with a draft', run: () => { const id = current.peek() ?? active.peek(); if (id !== null && email(id).peek()?.keywords['$draft']) openCompose({ kind: 'draft', emailId: id }) } },
    { keys: ['a'], what: 'Archive', run: act(actions.archive) },
    { keys: ['d', 'Delete', 'Backspace'], what: 'To the trash', run: act(actions.trash) },
    { keys: ['D'], what: 'Delete for good', run: act(actions.remove) },
    { keys: ['q'], what: 'Junk', run: act(actions.junk) },
    { keys: ['Q'], what: 'Not junk', run: act(of => actions.notJunk(of, preferences.peek().rejects)) },
    { keys: ['m'], what: 'Mark as read', run: act(of => actions.markRead(of), true) },
    { keys: ['M'], what: 'Mark as unread, neither junk nor not', run: act(actions.markUnread) },
    { keys: ['s', '!'], what: 'Flag, or not', run: act(of => actions.flag(of, !('query' in of) && !of.every(id => email(id).peek()?.keywords['$flagged']))) },
    { keys: ['X'], what: 'Mute the thread, or not', run: act(of => actions.mute(of, 'query' in of || !of.every(id => email(id).peek()?.muted)), true) },
    { keys: ['w'], what: 'Move to…', run: () => moveMenu(activeRow(), box => act(of => actions.move(of, box))()) },
    { keys: ['y'], what: 'Labels…', run: () => labelMenu(activeRow(), () => target()) },
    { keys: ['v'], what: 'View attachments', run: () => withBody(one => viewAttachments(one)) },
    { keys: ['t'], what: 'Show the text', run: () => chooseMode('text') },
    { keys: ['T'], what: 'Show HTML; again: with images from elsewhere', run: () => chooseMode(shownMode.peek() === 'html' ? 'external' : 'html') },
    { keys: ['o'], what: 'In a tab of its own', run: () => openDocument('page') },
    { keys: ['ctrl+p'], what: 'Print', run: () => openDocument('page'), when: () => place.peek().email !== null },
    { keys: ['O'], what: 'Source', run: () => openDocument('raw') },
    { keys: ['ctrl+i'], what: 'All headers', run: () => { allHeaders.value = allHeaders.peek() === 'yes' ? 'no' : 'yes' } },
    { keys: ['I'], what: 'Internals', run: () => { const id = current.peek() ?? active.peek(); if (id !== null) internals(id) } },
    { keys: ['alt+j'], what: 'Scroll down', run: () => scrollMessage(120) },
    { keys: ['alt+k'], what: 'Scroll up', run: () => scrollMessage(-120) },
    { keys: ['alt+J'], what: 'To its end', run: () => scrollMessage(Infinity) },
    { keys: ['alt+K'], what: 'To its beginning', run: () => scrollMessage(-Infinity) },
  ] },
  { title: 'Within a letter in HTML', keys: [
    { keys: ['ctrl+m', 'alt+j'], what: 'Give it the keys; a click in it does so, too', run: () => undefined, when: () => false },
    { keys: [' ', 'ArrowDown'], what: 'Scroll it, as the browser does; also Page ↓, Home, End', run: () => undefined, when: () => false },
    { keys: ['Tab', 'Shift Tab'], what: 'Along its links, and out of it; moving the pointer out of it leads out at once', run: () => undefined, when: () => false },
    { keys: ['Ctrl C'], what: 'Copy what is chosen in it, also once the pointer is elsewhere', run: () => undefined, when: () => false },
  ] },
  { title: 'Attachments', keys: [
    { keys: ['h', '←'], what: 'The one before', run: () => undefined, when: () => false },
    { keys: ['l', '→'], what: 'The next', run: () => undefined, when: () => false },
    { keys: ['0'], what: 'The first', run: () => undefined, when: () => false },
    { keys: ['$'], what: 'The last', run: () => undefined, when: () => false },
    { keys: ['d'], what: 'Download', run: () => undefined, when: () => false },
  ] },
  { title: 'Mailboxes', keys: [
    { keys: ['↑', '↓'], what: 'The one above or below', run: () => undefined, when: () => false },
    { keys: ['←', '→'], what: 'Fold, unfold', run: () => undefined, when: () => false },
    { keys: ['b'], what: 'Menu', run: () => undefined, when: () => false },
  ] },
  { title: 'Writing', keys: COMPOSE_KEYS.map(([key, what]) => ({ keys: [key], what: `${what.charAt(0).toUpperCase()}${what.slice(1)}`, run: () => undefined, when: () => false })) },
]

function withBody(run: (one: Awaited<ReturnType<typeof fullEmail>>) => unknown): void {
  const id = current.peek() ?? active.peek()
  if (id !== null) fullEmail(id).then(run, ignoreProblem)
}

/** As the table writes it. Shift is told by the letter, but for keys that have none. */
export function nameOfKey(event: KeyboardEvent): string {
  const shift = event.shiftKey && event.key.length > 1 ? 'shift+' : ''
  // A Mac writes other letters with Alt: the key is that on which they stand.
  const letter = event.altKey ? /^Key([A-Z])$/.exec(event.code)?.[1] : undefined
  const key = letter === undefined ? event.key : event.shiftKey ? letter : letter.toLowerCase()
  return `${event.ctrlKey || event.metaKey ? 'ctrl+' : ''}${event.altKey ? 'alt+' : ''}${shift}${key}`
}

export function startKeys(): void {
  document.addEventListener('keydown', event => {
    if (event.defaultPrevented || event.isComposing || isTyping(event.target)) return
    if (composeShown.peek() || document.querySelector('dialog[open], .popup:popover-open')) return
    // Space and Enter are for the button that has the focus.
    const focus = event.target instanceof HTMLElement ? event.target.closest('button, a, summary') : null
    if (focus && (event.key === ' ' || event.key === 'Enter')) return
    const name = nameOfKey(event)
    for (const { keys } of KEYS) for (const key of keys) {
      if (!key.keys.includes(name) || key.when?.() === false) continue
      event.preventDefault()
      closePopup()
      key.run(event)
      return
    }
  })
}

/** A key that a button's title tells, as in `Archive (a)`. */
export function keyOf(title: string): string | null {
  return /\(([^()]+)\)$/.exec(title)?.[1] ?? null
}

/** Shows the key of a button that was clicked, so that one learns it; and what a thing does, when one asks by a key. */
export function startHints(): void {
  let shown: HTMLElement | null = null, timer: ReturnType<typeof setTimeout> | undefined
  const show = (parts: readonly (string | Node)[], isAsked: boolean, seconds: number) => {
    shown?.remove()
    shown = document.createElement('div')
    shown.className = 'keyhint'
    // What was asked for is read out, too.
    if (isAsked) shown.role = 'status'
    else shown.ariaHidden = 'true'
    // An open dialog covers whatever is not in it.
    ;(document.querySelector('dialog[open]') ?? document.body).append(shown)
    shown.append(...parts)
    clearTimeout(timer)
    timer = setTimeout(() => shown?.remove(), seconds * 1000)
  }
  document.addEventListener('keydown', event => {
    if (nameOfKey(event) !== 'ctrl+?') return
    event.preventDefault()
    show([tipOf(document.activeElement)], true, 5)
  })
  document.addEventListener('click', event => {
    // A key that presses a button is no click.
    if (preferences.peek().noShowShortcuts || event.detail === 0 || matchMedia('(pointer: coarse)').matches) return
    const key = event.target instanceof Element ? keyOf(event.target.closest('button, a')?.getAttribute('title') ?? '') : null
    if (key === null) return
    const sign = document.createElement('kbd')
    sign.textContent = key
    show(['Key: ', sign], false, 1.5)
  })
}

/** What a thing says of itself: in its tooltip, or by its name. */
export function tipOf(one: Element | null): string {
  const text = [one?.closest('[title]')?.getAttribute('title'), one?.getAttribute('aria-label'), one?.textContent?.trim()].find(found => found)
  return one === null || one === document.body || !text ? 'Press ? for all keys' : text.slice(0, 200)
}
