// What the page knows of the account: its mailboxes, identities, preferences and the messages that were fetched. Views read
// signals; whatever the server tells of changes arrives here.

import { computed, effect, signal, type ReadonlySignal, type Signal } from '@preact/signals'
import { accountOf, call, forgetSession, jmapSession, limitsOf, offerSession, push, reference } from '../api/jmap/client'
import {
  FULL, HEAD, MUTABLE, OWN,
  type Email, type EmailFull, type EmailHead, type Id, type Identity, type Mailbox, type Preferences, type PushType, type Role, type Session, type TypeStates,
  type ViewMode,
} from '../api/jmap/types'
import { csrfToken, isLive, loginNeeded } from '../api/wire'
import { ApiError } from '../lib/problem'
import { refreshScheduled } from './compose'
import { listing } from './listing'
import * as store from './offline'

export { openCompose } from './compose'

export const session = signal<Session | null>(null)
export const mailboxes = signal<readonly Mailbox[]>([])
export const identities = signal<readonly Identity[]>([])
export const preferences = signal<Preferences>({
  signature: '', quoting: 'auto', showAddressSecurity: true, showHTML: true, noShowShortcuts: false, showHeaders: [], undoSeconds: 10, composeHTML: false,
  introbox: null, rejects: null,
})
/** Why the beginning failed. */
export const problem = signal<unknown>(undefined)
/** Whether mailboxes are known, of the server or of an earlier visit. */
export const ready = signal(false)
/** Whether the server could not be reached when it was last asked. What is shown may be old. */
export const isOffline = signal(false)

/** What the server called its states when we last heard. */
const states: TypeStates = {}

// Mailboxes.

export function byRole(role: Role): Mailbox | undefined {
  return mailboxes.value.find(one => one.role === role)
}

export const inbox = computed(() => byRole('inbox'))

/** Where the account pages are; null where there are none. */
export const accountPages = computed(() => session.value?.capabilities[OWN]?.accountPages ?? null)

/** By id. */
export const boxes = computed<ReadonlyMap<Id, Mailbox>>(() => new Map(mailboxes.value.map(one => [one.id, one])))

/** By their whole names, `Lists/Python`. */
export const names = computed<ReadonlyMap<string, Mailbox>>(() => new Map(mailboxes.value.map(one => [nameOf(one), one])))

export function nameOf(box: Mailbox): string {
  const above = box.parentId === null ? undefined : boxes.value.get(box.parentId)
  return above ? `${nameOf(above)}/${box.name}` : box.name
}

/** Those that a search leaves out unless it names them. */
export const away = computed<readonly Id[]>(() =>
  [...mailboxes.value.filter(one => one.role === 'trash' || one.role === 'junk').map(one => one.id), ...[preferences.value.rejects].filter(one => one !== null)])

/** Lower-case addresses that are ours. */
export const own = computed<ReadonlySet<string>>(() => new Set(identities.value.map(one => one.email.toLowerCase())))

// Messages.

const heads = new Map<Id, Signal<EmailHead | undefined>>()
const threads = new Map<Id, Signal<readonly Id[] | undefined>>()
const bodies = new Map<Id, Promise<EmailFull>>()
/** Bodies that are kept for going back and forth. */
const MOST_BODIES = 100
/** Labels that were seen in messages. */
const seenLabels = signal<readonly string[]>([])
/** All labels in use: of the mailboxes, as the server told of them last, and of messages since. */
export const labels = computed<readonly string[]>(() =>
  [...new Set([...mailboxes.value.flatMap(one => one.keywords ?? []).filter(isLabel), ...seenLabels.value])].sort())

/** A message as far as lists show it; undefined until it has been fetched, and once it is gone. */
export function email(id: Id): ReadonlySignal<EmailHead | undefined> {
  return one(heads, id)
}

/** Ids of the messages of a thread, the oldest first. */
export function thread(id: Id): ReadonlySignal<readonly Id[] | undefined> {
  return one(threads, id)
}

function one<T>(known: Map<Id, Signal<T | undefined>>, id: Id): Signal<T | undefined> {
  const there = known.get(id)
  if (there) return there
  const made = signal<T | undefined>(undefined)
  known.set(id, made)
  return made
}

/** Keeps what was fetched. */
export function keep(list: readonly (Partial<Email> & { id: Id })[]): void {
  const seen = new Set<string>()
  for (const now of list) {
    const known = one(heads, now.id), before = known.peek()
    if (!before && now.threadId === undefined) continue
    known.value = { ...before, ...now } as EmailHead
    for (const keyword of Object.keys(now.keywords ?? {})) if (isLabel(keyword)) seen.add(keyword)
  }
  const fresh = [...seen].filter(label => !seenLabels.peek().includes(label))
  if (fresh.length > 0) seenLabels.value = [...seenLabels.peek(), ...fresh]
}

/** Whether a keyword is one that people gave, not one that programs agreed on. */
export function isLabel(keyword: string): boolean {
  return !/^[$\\]/.test(keyword) && !['junk', 'nonjunk', 'notjunk', 'forwarded'].includes(keyword)
}

export function keepThreads(list: readonly { id: Id, emailIds: Id[] }[]): void {
  for (const { id, emailIds } of list) one(threads, id).value = emailIds
}

export function forget(ids: readonly Id[]): void {
  for (const id of ids) {
    const known = heads.get(id)
    if (known) known.value = undefined
    bodies.delete(id)
  }
  store.forget(ids)
}

/** Fetches what lists show of messages that are not known yet. */
export async function need(ids: readonly Id[]): Promise<void> {
  const missing = [...new Set(ids)].filter(id => heads.get(id)?.peek() === undefined)
  await fetchHeads(missing, HEAD)
}

async function fetchHeads(ids: readonly Id[], properties: readonly (keyof Email)[]): Promise<void> {
  if (ids.length === 0) return
  const limits = limitsOf(await jmapSession())
  await Promise.all(chunks(ids, limits.maxObjectsInGet).map(async part => {
    const { list, notFound } = await call('Email/get', { ids: part, properties })
    keep(list)
    forget(notFound)
  }))
}

/** What changing messages back needs, of messages that need not be kept. */
export async function fetchKeywords(ids: readonly Id[]): Promise<Pick<EmailHead, 'id' | 'mailboxIds' | 'keywords' | 'muted' | 'collapsed'>[]> {
  if (ids.length === 0) return []
  const limits = limitsOf(await jmapSession())
  const found = await Promise.all(chunks(ids, limits.maxObjectsInGet).map(part => call('Email/get', { ids: part, properties: MUTABLE })))
  return found.flatMap(({ list }) => list as Pick<EmailHead, 'id' | 'mailboxIds' | 'keywords' | 'muted' | 'collapsed'>[])
}

export function chunks<T>(all: readonly T[], most: number): T[][] {
  const parts: T[][] = []
  for (let from = 0; from < all.length; from += most) parts.push(all.slice(from, from + most))
  return parts
}

/** Fetches a message that one may open next. */
export function prefetch(id: Id): void {
  if (bodies.has(id) || isOffline.peek()) return
  const later = 'requestIdleCallback' in window ? window.requestIdleCallback : (run: () => void) => setTimeout(run, 100)
  later(() => { fullEmail(id).catch(ignoreProblem) })
}

/** A message with all that its view shows; texts up to 2 MiB, and the beginning of HTML, to see whether it wants images. */
export function fullEmail(id: Id): Promise<EmailFull> {
  const known = bodies.get(id)
  if (known) return known
  const made = fetchFull(id)
  bodies.set(id, made)
  made.catch(() => bodies.delete(id))
  const [oldest] = bodies.keys()
  if (bodies.size > MOST_BODIES && oldest !== undefined) bodies.delete(oldest)
  return made
}

async function fetchFull(id: Id): Promise<EmailFull> {
  const text = call('Email/get', { ids: [id], properties: FULL, fetchTextBodyValues: true, maxBodyValueBytes: 2 * 1024 * 1024 })
  const html = call('Email/get', { ids: [id], properties: ['bodyValues'], fetchHTMLBodyValues: true, maxBodyValueBytes: 256 * 1024 })
  try {
    const [{ list: [found] }, { list: [beside] }] = await Promise.all([text, html])
    if (!found) throw new ApiError('notFound', 'The message is no longer there.')
    keep([found])
    const whole = { ...found, bodyValues: { ...beside?.bodyValues, ...found.bodyValues } } as unknown as EmailFull
    void store.keepBody(whole)
    return whole
  } catch (error) {
    const kept = isNetwork(error) ? await store.body(id) : undefined
    if (!kept) throw error
    isOffline.value = true
    return kept
  }
}

// How bodies of a sender's messages are shown.

const modes = new Map<string, Signal<ViewMode | undefined>>()

export function senderMode(address: string): ReadonlySignal<ViewMode | undefined> {
  return one(modes, address.toLowerCase())
}

/** Addresses that were asked for; a signal may be there before. */
const askedModes = new Set<string>()

export async function needSenderModes(addresses: readonly string[]): Promise<void> {
  const missing = [...new Set(addresses.map(address => address.toLowerCase()))].filter(address => !askedModes.has(address))
  if (missing.length === 0) return
  for (const address of missing) askedModes.add(address)
  try {
    const { list } = await call('SenderView/get', { addresses: missing })
    for (const { address, mode } of list) one(modes, address.toLowerCase()).value = mode
  } catch (error) {
    for (const address of missing) askedModes.delete(address)
    ignoreProblem(error)
  }
}

export async function setSenderMode(address: string, mode: ViewMode): Promise<void> {
  one(modes, address.toLowerCase()).value = mode
  await call('SenderView/set', { address, mode }).catch(ignoreProblem)
}

// Fetching, and hearing of changes.

/** Everything that is small, anew. Throws ApiError. */
export async function refresh(): Promise<void> {
  const all = call('Mailbox/get', { ids: null }), people = call('Identity/get', { ids: null }), wishes = call('Preferences/get', {})
  // A server without these still shows mail.
  const rest = Promise.all([
    people.then(({ list, state }) => {
      identities.value = list
      states.Identity = state
    }, ignoreProblem),
    wishes.then(({ preferences: now, state }) => {
      preferences.value = { ...preferences.peek(), ...now }
      states.Preferences = state
    }, ignoreProblem),
  ])
  const { list, state } = await all
  const now = await jmapSession(), before = session.peek()
  if (before && accountOf(before) !== accountOf(now)) {
    // Somebody else has logged in: nothing of the one before may stay.
    await store.clear()
    location.reload()
    return
  }
  if (before !== now) session.value = now
  store.open(accountOf(now))
  mailboxes.value = list
  states.Mailbox = state
  ready.value = true
  problem.value = undefined
  isOffline.value = false
  await rest
  store.keepSmall({ mailboxes: mailboxes.peek(), identities: identities.peek(), preferences: preferences.peek(), session: now })
}

export function ignoreProblem(error: unknown): void {
  if (!(error instanceof ApiError)) throw error
}

export function isNetwork(error: unknown): boolean {
  return error instanceof ApiError && error.code === 'network'
}

const PUSHED: readonly PushType[] = ['Email', 'Mailbox', 'Thread', 'Identity', 'Preferences', 'EmailSubmission']

/** Fetches what the page begins with and hears of changes from then on. */
export function follow(): void {
  // What an earlier visit left shows until the server has answered.
  void store.small().then(kept => {
    if (kept && csrfToken() !== '') {
      offerSession(kept.session)
      mailboxes.value = kept.mailboxes
      identities.value = kept.identities
      preferences.value = { ...preferences.peek(), ...kept.preferences }
      session.value = kept.session
      ready.value = true
    }
    void begin()
    listen()
  })
  window.addEventListener('offline', () => { isOffline.value = true })
  isLive.subscribe(live => { if (live) isOffline.value = false })
}

/** Hears of changes while somebody is logged in. */
function listen(): void {
  let stop: (() => void) | null = null
  effect(() => {
    const needed = loginNeeded.value
    stop?.()
    stop = null
    if (needed) forgetSession()
    else if (typeof EventSource !== 'undefined') stop = push(PUSHED, states => { void sync(states) }, () => { void sync() })
  })
}

async function begin(): Promise<void> {
  try {
    await refresh()
  } catch (error) {
    if (isNetwork(error)) isOffline.value = true
    problem.value = error
    ignoreProblem(error)
  }
}

/** Of the messages in general; what is known of them is as of then. */
export function noteEmailState(state: string): void {
  states.Email ??= state
}

export function noteEmailSet(before: string | null, after: string): void {
  // Nothing happened between: then all is known.
  if (before !== null && before === states.Email) states.Email = after
}

let syncing: Promise<void> | null = null, again = false

/** Follows what has changed since; at most one run at a time, and one more for what came meanwhile. */
export function sync(told?: TypeStates): Promise<void> {
  if (told && (Object.keys(told) as PushType[]).every(type => told[type] === states[type])) return Promise.resolve()
  if (syncing) {
    again = true
    return syncing
  }
  syncing = run().finally(() => {
    syncing = null
    if (again) {
      again = false
      void sync()
    }
  })
  return syncing

  async function run(): Promise<void> {
    try {
      if (!told || told.EmailSubmission !== undefined) void refreshScheduled()
      await Promise.all([syncSmall(told), syncMail(told)])
      isOffline.value = false
    } catch (error) {
      if (isNetwork(error)) isOffline.value = true
      ignoreProblem(error)
    }
  }
}

async function syncSmall(told?: TypeStates): Promise<void> {
  const since = states.Mailbox
  const others = !told || (told.Identity !== undefined && told.Identity !== states.Identity) || (told.Preferences !== undefined && told.Preferences !== states.Preferences)
  if (since === undefined || others) return refresh()
  if (told && (told.Mailbox === undefined || told.Mailbox === since)) return
  const changed = call('Mailbox/changes', { sinceState: since })
  const created = call('Mailbox/get', { '#ids': reference(changed, '/created') }), updated = call('Mailbox/get', { '#ids': reference(changed, '/updated') })
  created.catch(() => undefined)
  updated.catch(() => undefined)
  try {
    const { destroyed, hasMoreChanges } = await changed
    if (hasMoreChanges) return refresh()
    const now = new Map(boxes.peek())
    for (const id of destroyed) now.delete(id)
    const gotten = await updated
    for (const box of [...(await created).list, ...gotten.list]) now.set(box.id, box)
    mailboxes.value = [...now.values()]
    // Of what was read, not of what had changed by then.
    states.Mailbox = gotten.state
  } catch (error) {
    if (isNetwork(error)) throw error
    ignoreProblem(error)
    await refresh()
  }
}

async function syncMail(told?: TypeStates): Promise<void> {
  const since = states.Email
  if (told && told.Email === since && told.Thread === since) return
  if (since !== undefined) {
    try {
      await followEmails(since)
    } catch (error) {
      if (isNetwork(error)) throw error
      ignoreProblem(error)
      // Too long ago: what is shown is fetched anew, the rest is forgotten.
      delete states.Email
      const shown = new Set(listing.peek()?.shown() ?? [])
      for (const id of heads.keys()) if (!shown.has(id)) forget([id])
      bodies.clear()
      await fetchHeads([...shown], HEAD)
    }
  }
  await listing.peek()?.follow()
}

async function followEmails(since: string): Promise<void> {
  let from = since
  for (;;) {
    const changed = call('Email/changes', { sinceState: from }), moved = call('Thread/changes', { sinceState: from })
    const [emails, conversations] = await Promise.all([changed, moved])
    forget(emails.destroyed)
    const known = conversations.updated.filter(id => threads.get(id)?.peek() !== undefined)
    const stale = emails.updated.filter(id => heads.get(id)?.peek() !== undefined)
    await Promise.all([
      fetchHeads(stale, MUTABLE),
      ...chunks(known, 500).map(async ids => {
        const { list } = await call('Thread/get', { ids })
        keepThreads(list)
        await need(list.flatMap(({ emailIds }) => emailIds))
      }),
    ])
    states.Email = emails.newState
    if (!emails.hasMoreChanges) return
    from = emails.newState
  }
}
