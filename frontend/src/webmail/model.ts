// What the page knows of the account: its mailboxes, identities, preferences and the messages that were fetched. Views read
// signals; whatever the server tells of changes arrives here.

import { computed, signal, type ReadonlySignal, type Signal } from '@preact/signals'
import { call, forgetSession, jmapSession, limitsOf, push, reference } from '../api/jmap/client'
import {
  FULL, HEAD, MUTABLE,
  type Email, type EmailFull, type EmailHead, type Id, type Identity, type Mailbox, type Preferences, type PushType, type Role, type Session, type TypeStates,
} from '../api/jmap/types'
import { loginNeeded } from '../api/wire'
import { ApiError } from '../lib/problem'

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
/** Whether mailboxes are known. */
export const ready = signal(false)

/** What the server called its states when we last heard. */
const states: TypeStates = {}

export function byRole(role: Role): Mailbox | undefined {
  return mailboxes.value.find(one => one.role === role)
}

export const inbox = computed(() => byRole('inbox'))

// Messages.

const heads = new Map<Id, Signal<EmailHead | undefined>>()
const full = new Map<Id, Promise<EmailFull>>()

/** A message as far as lists show it; undefined until it has been fetched, and once it is gone. */
export function email(id: Id): ReadonlySignal<EmailHead | undefined> {
  return head(id)
}

function head(id: Id): Signal<EmailHead | undefined> {
  const known = heads.get(id)
  if (known) return known
  const made = signal<EmailHead | undefined>(undefined)
  heads.set(id, made)
  return made
}

/** Keeps what was fetched. */
export function keep(list: readonly Partial<Email>[]): void {
  for (const one of list) {
    const known = head(one.id ?? '')
    known.value = { ...known.peek(), ...one } as EmailHead
  }
}

/** A message with all that its view shows; bodies up to 2 MiB. */
export function fullEmail(id: Id): Promise<EmailFull> {
  const known = full.get(id)
  if (known) return known
  const made = call('Email/get', { ids: [id], properties: FULL, fetchTextBodyValues: true, maxBodyValueBytes: 2 * 1024 * 1024 }).then(({ list }) => {
    const [one] = list
    if (!one) throw new ApiError('notFound', 'the message is no longer there')
    keep([one])
    return one as unknown as EmailFull
  })
  full.set(id, made)
  made.catch(() => full.delete(id))
  return made
}

// Fetching, and hearing of changes.

/** Everything that is small, anew. Throws ApiError. */
export async function refresh(): Promise<void> {
  const boxes = call('Mailbox/get', { ids: null }), people = call('Identity/get', { ids: null }), wishes = call('Preferences/get', {})
  const gotten = await boxes
  session.value = await jmapSession()
  mailboxes.value = gotten.list
  states.Mailbox = gotten.state
  ready.value = true
  // A server without these still shows mail.
  await people.then(({ list, state }) => {
    identities.value = list
    states.Identity = state
  }, ignoreUnknown)
  await wishes.then(one => {
    preferences.value = { ...preferences.peek(), ...one.preferences }
    states.Preferences = one.state
  }, ignoreUnknown)
}

function ignoreUnknown(error: unknown): void {
  if (!(error instanceof ApiError)) throw error
}

const PUSHED: readonly PushType[] = ['Email', 'Mailbox', 'Thread', 'Identity', 'Preferences', 'EmailSubmission']

/** Fetches what the page begins with and hears of changes from then on. */
export function follow(): void {
  const begin = () => refresh().then(() => { problem.value = undefined }, (error: unknown) => { problem.value = error })
  void begin().then(() => {
    const listen = () => push(PUSHED, changed, () => { void begin() })
    let stop = listen()
    loginNeeded.subscribe(needed => {
      stop()
      if (needed) forgetSession()
      else stop = listen()
    })
  })
}

function changed(now: TypeStates): void {
  if ((now.Mailbox !== undefined && now.Mailbox !== states.Mailbox) || (now.Identity !== undefined && now.Identity !== states.Identity) ||
    (now.Preferences !== undefined && now.Preferences !== states.Preferences)) void refresh().catch(ignoreUnknown)
}

export { HEAD, MUTABLE, limitsOf, reference }
