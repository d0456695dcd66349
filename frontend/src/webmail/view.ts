// What is looked at and how: the list of the place, its sorting and threading, which message is active and which are chosen.

import { computed, effect, signal, untracked } from '@preact/signals'
import type { Filter, Id, ListQuery, Mailbox } from '../api/jmap/types'
import { recall, remember } from '../lib/storage'
import type { Target } from './actions'
import { Listing, listing } from './listing'
import { away, boxes, byRole, email, mailboxes, nameOf, names, preferences, ready, thread } from './model'
import { place, toEmail } from './place'
import { allOf, parse, QueryProblem, toFilter } from './query'
import { Rows, tree, type Unfolded } from './rows'

// How one likes it, remembered by this browser.

export type Threading = 'off' | 'on' | 'unread'
export type Layout = 'auto' | 'right' | 'bottom'

function kept<T extends string>(name: string, values: readonly T[]) {
  const known = signal<T>(values.find(one => one === recall(`webmail.${name}`)) ?? values[0] as T)
  known.subscribe(value => remember(`webmail.${name}`, value === values[0] ? null : value))
  return known
}

export const threading = kept<Threading>('threading', ['on', 'off', 'unread'])
export const layout = kept<Layout>('layout', ['auto', 'right', 'bottom'])
export const order = kept<'newest' | 'oldest'>('order', ['newest', 'oldest'])
export const allHeaders = kept<'no' | 'yes'>('headers', ['no', 'yes'])
export type Refine = '' | 'unread' | 'read' | 'attachments' | 'flagged' | `label:${string}`
/** The page begins as it was left. */
export const refine = signal<Refine>((recall('webmail.refine') ?? '') as Refine)
refine.subscribe(value => remember('webmail.refine', value === '' ? null : value))
let refined = ''
effect(() => {
  // Of another place it means nothing.
  const { mailbox: name, search } = place.value, here = `${name} ${search}`
  if (refined !== '' && refined !== here) refine.value = ''
  refined = here
})

const REFINED: Record<string, Filter> = {
  unread: { notKeyword: '$seen' }, read: { hasKeyword: '$seen' }, attachments: { hasAttachment: true }, flagged: { hasKeyword: '$flagged' },
}

// The list.

/** The mailbox one is in; null in a search, and where there is none of that name. */
export const mailbox = computed<Mailbox | null>(() => {
  const { mailbox: name, search } = place.value
  if (search !== null) return null
  return (name === '' ? byRole('inbox') : names.value.get(name)) ?? null
})

interface Wanted { query: ListQuery, key: string, isSearch: boolean }

/** What is asked of the server; a text says why nothing can be asked. */
export const wanted = computed<Wanted | string | null>(() => {
  if (!ready.value) return null
  const { search, mailbox: name } = place.value, only = refine.value
  let filter: Filter
  if (search === null) {
    if (!mailbox.value) return name === '' ? 'There is no Inbox.' : `There is no mailbox “${name}”.`
    filter = { inMailbox: mailbox.value.id }
  } else {
    try {
      filter = toFilter(parse(search), names.value, away.value)
    } catch (error) {
      if (error instanceof QueryProblem) return error.message
      throw error
    }
  }
  const more = only.startsWith('label:') ? { hasKeyword: only.slice(6) } : REFINED[only]
  const query: ListQuery = {
    filter: more ? allOf([filter, more]) : filter,
    sort: [{ property: 'receivedAt', isAscending: order.value === 'oldest' }],
    collapseThreads: threading.value !== 'off',
  }
  return { query, key: JSON.stringify(query), isSearch: search !== null }
})

/** What is wrong with what is asked for. */
export const listProblem = computed(() => typeof wanted.value === 'string' ? wanted.value : null)

export function startView(): void {
  effect(() => {
    const now = wanted.value
    untracked(() => {
      const before = listing.peek()
      if (now === null || (typeof now !== 'string' && before?.key === now.key)) return
      before?.close()
      active.value = null
      clearSelection()
      if (typeof now === 'string') listing.value = null
      else {
        performance.mark('webmail:ask')
        const made = new Listing(now.query, now.key, now.isSearch, id => place.peek().email === id)
        listing.value = made
        made.open()
      }
    })
  })
  // A message that was kept in the list while it was read may go now.
  effect(() => {
    void place.value.email
    if (untracked(() => listing.value?.isBehind)) void listing.peek()?.follow()
  })
  effect(() => {
    const open = place.value.email
    if (open !== null && untracked(() => active.value) !== open) active.value = open
  })
  effect(followActive)
}

// Rows.

const folding = signal(0)

/** Messages of a thread that belong into a list: none of Trash and Junk, unless one looks there. */
export function membersOf(id: Id): readonly Id[] {
  const head = email(id).value
  const all = head ? thread(head.threadId).value : undefined
  if (!head || !all) return [id]
  const hidden = away.value.filter(box => !head.mailboxIds[box])
  return all.filter(one => one === id || (email(one).value !== undefined && !hidden.some(box => email(one).value?.mailboxIds[box])))
}

export const rows = computed<Rows>(() => {
  const now = listing.value
  void folding.value
  if (!now) return new Rows(0, () => undefined, () => -1, () => [], [])
  void now.version.value
  const { list, folds } = now, unfolded: Unfolded[] = [], isThreaded = now.query.collapseThreads
  if (isThreaded) for (let position = 0; position < list.length; position += 1) {
    const id = list.at(position)
    if (id === undefined) continue
    const head = email(id).peek()
    if (!head) continue
    let open = folds.get(head.threadId)
    if (open === undefined) {
      const members = threading.value === 'unread' ? thread(head.threadId).peek() : undefined
      if (!members) continue
      open = members.length > 1 && !head.collapsed && members.some(one => email(one).peek()?.keywords['$seen'] === undefined)
      folds.set(head.threadId, open)
    }
    if (!open) continue
    const members = membersOf(id)
    if (members.length > 1) unfolded.push({ position, members: tree(members, one => email(one).value) })
  }
  const hiddenOf = (id: Id) => isThreaded ? membersOf(id).filter(one => one !== id) : []
  return new Rows(list.length, position => list.at(position), id => list.indexOf(id), hiddenOf, unfolded)
})

export function isUnfolded(id: Id): boolean {
  const head = email(id).peek()
  return head !== undefined && listing.peek()?.folds.get(head.threadId) === true
}

export function fold(id: Id, open: boolean): void {
  const head = email(id).peek(), now = listing.peek()
  if (!head || !now) return
  const index = rows.peek().indexOf(id)
  now.folds.set(head.threadId, open)
  folding.value += 1
  // The active message may have been folded in.
  if (!open && index >= 0 && active.peek() !== null && rows.peek().indexOf(active.peek() ?? '') < 0) {
    const result = now.list.known().find(one => email(one).peek()?.threadId === head.threadId)
    if (result !== undefined) active.value = result
  }
}

// Which message the keys are for, and which are chosen.

export const active = signal<Id | null>(null)
export const selected = signal<ReadonlySet<Id>>(new Set())
/** Everything the query finds, whether it was fetched or not. */
export const isAllSelected = signal(false)
/** Where a stretch that is extended began. */
let anchor: Id | null = null

export function clearSelection(): void {
  if (selected.peek().size > 0) selected.value = new Set()
  isAllSelected.value = false
  anchor = null
}

export function toggle(id: Id): void {
  const now = new Set(isAllSelected.peek() ? rowIds() : selected.peek())
  isAllSelected.value = false
  if (now.has(id)) now.delete(id)
  else now.add(id)
  selected.value = now
  anchor = id
}

/** From where the last choice was made to here. */
export function extend(to: Id): void {
  const all = rows.peek(), from = all.indexOf(anchor ?? active.peek() ?? to), end = all.indexOf(to)
  if (anchor === null) anchor = active.peek() ?? to
  const now = new Set(isAllSelected.peek() ? [] : selected.peek())
  isAllSelected.value = false
  for (let index = Math.min(from, end); index <= Math.max(from, end); index += 1) {
    const id = all.at(index)?.id
    if (id !== undefined) now.add(id)
  }
  selected.value = now
}

export function selectAll(): void {
  if (rows.peek().length === 0) return
  selected.value = new Set()
  isAllSelected.value = true
}

export function selectMany(ids: Iterable<Id>): void {
  isAllSelected.value = false
  selected.value = new Set(ids)
}

function rowIds(): Id[] {
  const all = rows.peek(), found: Id[] = []
  for (let index = 0; index < all.length; index += 1) {
    const id = all.at(index)?.id
    if (id !== undefined) found.push(id)
  }
  return found
}

export function isSelected(id: Id): boolean {
  return isAllSelected.value || selected.value.has(id)
}

/**
 * The messages that something is done to: those chosen, else the active one; of a folded thread all that lie in the
 * mailbox one looks at. `whole`: all of the thread, as for marking read.
 */
export function target(whole = false): Target {
  const now = listing.peek()
  if (isAllSelected.peek() && now) return { query: now.query, total: now.list.length }
  const ids = selected.peek().size > 0 ? [...selected.peek()] : [active.peek() ?? place.peek().email].filter(id => id !== null)
  return [...new Set(ids.flatMap(id => targetOf(id, whole)))]
}

export function targetOf(id: Id, whole = false): Id[] {
  const all = rows.peek(), row = all.at(all.indexOf(id))
  if (!row || row.hidden.length === 0) return [id]
  const here = mailbox.peek()
  // Copies of what one sent oneself, and drafts, stay where they are, unless one looks at them.
  const stay = new Set(mailboxes.peek().filter(one => one.role === 'sent' || one.role === 'drafts' || one.role === 'trash' || one.role === 'junk').map(one => one.id))
  return [id, ...row.hidden.filter(one => {
    const ids = Object.keys(email(one).peek()?.mailboxIds ?? {})
    return whole || (here ? ids.includes(here.id) : !ids.some(box => stay.has(box)))
  })]
}

// Where the active message was, for what comes next when it goes.
let activeIndex = -1, wasThere: Id | null = null

function followActive(): void {
  const all = rows.value, now = active.value
  untracked(() => {
    if (now === null) return
    const index = all.indexOf(now)
    if (index >= 0) {
      activeIndex = index
      wasThere = now
      return
    }
    if (wasThere !== now || listing.peek()?.loading.peek()) return
    const next = all.at(Math.min(activeIndex, all.length - 1))?.id ?? null
    const wasOpen = place.peek().email === now
    active.value = next
    if (wasOpen) toEmail(isNarrow.peek() ? null : next)
    const left = [...selected.peek()].filter(id => all.indexOf(id) >= 0)
    if (left.length !== selected.peek().size) selectMany(left)
  })
}

/** Puts the active row elsewhere. */
export function activate(id: Id | null): void {
  active.value = id
}

export function step(by: number): Id | null {
  const all = rows.peek(), from = active.peek() === null ? (by > 0 ? -1 : all.length) : all.indexOf(active.peek() ?? '')
  return all.at(Math.max(0, Math.min(all.length - 1, from + by)))?.id ?? null
}

// The window.

export const width = signal(window.innerWidth)
window.addEventListener('resize', () => { width.value = window.innerWidth })
/** One area at a time. */
export const isNarrow = computed(() => width.value < 760)
export const shownLayout = computed<'right' | 'bottom' | 'narrow'>(() =>
  isNarrow.value ? 'narrow' : layout.value !== 'auto' ? layout.value : width.value >= 1100 ? 'right' : 'bottom')

/** What the list is called. */
export const title = computed(() => place.value.search !== null ? 'Search' : mailbox.value ? nameOf(mailbox.value) : place.value.mailbox || 'Inbox')

/** Whether lists of this place show who a message is for. */
export const showsRecipients = computed(() => mailbox.value?.role === 'sent' || mailbox.value?.role === 'drafts')

/** Whether reading says nothing about what one wants here. */
export const isUnjudged = (ids: Readonly<Record<Id, true>>) => {
  const { introbox, rejects } = preferences.peek()
  return Object.keys(ids).some(id => id === introbox || id === rejects || boxes.peek().get(id)?.role === 'junk' || boxes.peek().get(id)?.role === 'trash')
}
