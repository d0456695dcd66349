// What is kept for a time without network: mailboxes, the beginnings of lists, and messages that were read. It lies in this
// browser's IndexedDB, by account, until somebody logs out. Private windows may have none: then nothing is kept.

import type { EmailFull, EmailHead, Id, Identity, Mailbox, Preferences, Session } from '../api/jmap/types'
import { recall, remember } from '../lib/storage'

export interface Small {
  mailboxes: readonly Mailbox[]
  identities: readonly Identity[]
  preferences: Preferences
  session: Session
}

export interface KeptList {
  ids: Id[]
  total: number
  heads: EmailHead[]
  threads: { id: Id, emailIds: Id[] }[]
}

const NAME = 'moxpy-webmail', STORES = ['small', 'lists', 'bodies'] as const
type Store = (typeof STORES)[number]
/** Messages that are kept; a larger one is not. */
const MOST_BODIES = 200, MOST_CHARACTERS = 500_000

let opened: Promise<IDBDatabase | null> | null = null

function database(): Promise<IDBDatabase | null> {
  opened ??= new Promise(resolve => {
    try {
      const request = indexedDB.open(NAME, 1)
      request.onupgradeneeded = () => { for (const store of STORES) request.result.createObjectStore(store) }
      request.onsuccess = () => {
        // Another tab logs out.
        request.result.onversionchange = () => {
          request.result.close()
          opened = Promise.resolve(null)
        }
        resolve(request.result)
      }
      request.onerror = request.onblocked = () => resolve(null)
    } catch {
      resolve(null)
    }
  })
  return opened
}

/** Whose mail is kept; another account's is thrown away. */
export function open(account: Id): void {
  const before = recall('webmail.account')
  if (before !== null && before !== account) void clear()
  remember('webmail.account', account)
}

/** Nothing is kept from now on, and nothing of before. */
export async function clear(): Promise<void> {
  const known = await opened
  known?.close()
  opened = null
  remember('webmail.account', null)
  await new Promise<void>(resolve => {
    try {
      const request = indexedDB.deleteDatabase(NAME)
      request.onsuccess = request.onerror = request.onblocked = () => resolve()
    } catch {
      resolve()
    }
  })
}

async function put(store: Store, key: string, value: unknown): Promise<void> {
  try {
    const known = await database()
    known?.transaction(store, 'readwrite').objectStore(store).put(value, key)
  } catch { /* A full disk, or a database that is going away: it is only a copy. */ }
}

async function get<T>(store: Store, key: string): Promise<T | undefined> {
  if (recall('webmail.account') === null) return undefined
  try {
    const known = await database()
    if (!known) return undefined
    return await new Promise<T | undefined>(resolve => {
      const request = known.transaction(store).objectStore(store).get(key) as IDBRequest<T | undefined>
      request.onsuccess = () => resolve(request.result)
      request.onerror = () => resolve(undefined)
    })
  } catch {
    return undefined
  }
}

export const small = () => get<Small>('small', 'small')
export const list = (key: string) => get<KeptList>('lists', key)
export const body = (id: Id) => get<EmailFull>('bodies', id)

export function keepSmall(value: Small): void {
  void put('small', 'small', value)
}

export function keepList(key: string, value: KeptList): void {
  void put('lists', key, value)
}

export function keepBody(email: EmailFull): void {
  if (Object.values(email.bodyValues).reduce((sum, { value }) => sum + value.length, 0) > MOST_CHARACTERS) return
  void put('bodies', email.id, email).then(prune)
}

/** Keeps the number of bodies within its limit: the ids first made go first. */
async function prune(): Promise<void> {
  const known = await database()
  if (!known) return
  try {
    const store = known.transaction('bodies', 'readwrite').objectStore('bodies')
    const request = store.getAllKeys()
    request.onsuccess = () => { for (const key of request.result.slice(0, Math.max(0, request.result.length - MOST_BODIES))) store.delete(key) }
  } catch { /* As above. */ }
}
