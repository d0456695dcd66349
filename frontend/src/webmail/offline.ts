// What is kept for a time without network: mailboxes, the beginnings of lists, and messages that were read, with their HTML
// as the server made it safe and with small files. It lies in this browser's IndexedDB, by account, until somebody logs
// out. Private windows may have none: then nothing is kept. Beside the copies lie the files of a message one writes, until the
// server has them.
//
// HTML and files are shown by the worker, at `kept/<message>/<part>` (worker.js, which knows names and stores of here).

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

const NAME = 'moxpy-webmail', VERSION = 3
const STORES = ['small', 'lists', 'bodies', 'files', 'index', 'unsaved'] as const
type Store = (typeof STORES)[number]

/** How much is kept; what was looked at longest ago goes first. */
export const MOST = {
  /** Messages, and characters of one. */
  bodies: 200,
  characters: 500_000,
  /** Documents and files, octets of one, of those of one message, and of all. */
  files: 400,
  fileOctets: 2_000_000,
  messageOctets: 5_000_000,
  octets: 60_000_000,
  /** Files of a message one writes that could not be sent to the server, and octets of all of them. */
  unsaved: 50,
  unsavedOctets: 60_000_000,
}

/** What is known of a thing that is kept, under `<store> <key>`. */
interface Entry { at: number, octets: number }

let opened: Promise<IDBDatabase | null> | null = null

function database(): Promise<IDBDatabase | null> {
  opened ??= new Promise(resolve => {
    try {
      const request = indexedDB.open(NAME, VERSION)
      request.onupgradeneeded = () => {
        // Copies of an older kind are not worth a conversion; what could not be saved is there only once.
        const known = request.result
        for (const store of [...known.objectStoreNames]) if (store !== 'unsaved') known.deleteObjectStore(store)
        for (const store of STORES) if (!known.objectStoreNames.contains(store)) known.createObjectStore(store)
      }
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
  if (before !== null && before !== account) void clear().then(() => remember('webmail.account', account))
  else remember('webmail.account', account)
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

/** Of nobody nothing is kept, also not what was asked for before a log-out. */
const isNobody = () => recall('webmail.account') === null

/** Does something in a transaction; what fails is only a copy: a full disk, a database that is going away. */
async function change(stores: readonly Store[], run: (tx: IDBTransaction) => void): Promise<void> {
  if (isNobody()) return
  try {
    const known = await database()
    if (!known || isNobody()) return
    await new Promise<void>(resolve => {
      const tx = known.transaction(stores, 'readwrite')
      tx.oncomplete = tx.onerror = tx.onabort = () => resolve()
      run(tx)
    })
  } catch { /* As said. */ }
}

async function get<T>(store: Store, key: string): Promise<T | undefined> {
  return ask(store, found => found.get(key) as IDBRequest<T | undefined>)
}

async function ask<T>(store: Store, question: (store: IDBObjectStore) => IDBRequest<T>): Promise<T | undefined> {
  if (isNobody()) return undefined
  try {
    const known = await database()
    if (!known) return undefined
    return await new Promise<T | undefined>(resolve => {
      const request = question(known.transaction(store).objectStore(store))
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

/** A part of a message, or `html` for its document. */
export const file = (id: Id, part: string) => get<Blob>('files', `${id} ${part}`)

/** All that begins with a message's id. */
const ofMessage = (id: Id) => IDBKeyRange.bound(`${id} `, `${id} \uffff`)

/** The parts of a message that are kept. */
export async function parts(id: Id): Promise<ReadonlySet<string>> {
  const keys = await ask('files', store => store.getAllKeys(ofMessage(id)))
  return new Set((keys ?? []).map(key => String(key).slice(id.length + 1)))
}

export function keepSmall(value: Small): void {
  void change(['small'], tx => tx.objectStore('small').put(value, 'small'))
}

export function keepList(key: string, value: KeptList): void {
  void change(['lists'], tx => tx.objectStore('lists').put(value, key))
}

export async function keepBody(email: EmailFull): Promise<void> {
  const characters = Object.values(email.bodyValues).reduce((sum, { value }) => sum + value.length, 0)
  if (characters <= MOST.characters) await keep('bodies', email.id, email, characters)
}

export async function keepFile(id: Id, part: string, content: Blob): Promise<void> {
  if (content.size <= MOST.fileOctets) await keep('files', `${id} ${part}`, content, content.size)
}

/** Keeps a thing, and throws away what is too much by then. */
function keep(store: 'bodies' | 'files', key: string, value: unknown, octets: number): Promise<void> {
  return change([store, 'index'], tx => {
    const things = tx.objectStore(store), index = tx.objectStore('index')
    things.put(value, key)
    index.put({ at: Date.now(), octets } satisfies Entry, `${store} ${key}`)
    const range = IDBKeyRange.bound(`${store} `, `${store} \uffff`)
    const keys = index.getAllKeys(range), entries = index.getAll(range) as IDBRequest<Entry[]>
    entries.onsuccess = () => {
      const all = keys.result.map((name, at): Kept => [String(name).slice(store.length + 1), entries.result[at] ?? { at: 0, octets: 0 }])
      for (const name of surplus(all, store === 'bodies' ? MOST.bodies : MOST.files, MOST.octets)) {
        things.delete(name)
        index.delete(`${store} ${name}`)
      }
    }
  })
}

/** Files that are kept were looked at again. */
export function touch(id: Id, kept: Iterable<string>): void {
  void change(['index'], tx => {
    const index = tx.objectStore('index')
    for (const part of kept) {
      const key = `files ${id} ${part}`, known = index.get(key) as IDBRequest<Entry | undefined>
      known.onsuccess = () => { if (known.result) index.put({ ...known.result, at: Date.now() }, key) }
    }
  })
}

type Kept = readonly [key: string, entry: Entry]

/** What has to go: the oldest of too many, or of too much. */
export function surplus(all: readonly Kept[], most: number, octets: number): string[] {
  let count = 0, sum = 0
  return [...all].sort(([, one], [, other]) => other.at - one.at).filter(([, entry]) => {
    count += 1
    sum += entry.octets
    return count > most || sum > octets
  }).map(([key]) => key)
}

/** Messages that are no longer there. */
export function forget(ids: readonly Id[]): void {
  if (ids.length > 0) void change(['bodies', 'files', 'index'], tx => {
    for (const id of ids) {
      tx.objectStore('bodies').delete(id)
      tx.objectStore('index').delete(`bodies ${id}`)
      tx.objectStore('files').delete(ofMessage(id))
      tx.objectStore('index').delete(IDBKeyRange.bound(`files ${id} `, `files ${id} \uffff`))
    }
  })
}

/** Files of the message that could not be saved, by their keys; those that are no longer among them go. */
export function keepUnsaved(files: ReadonlyMap<string, Blob>): Promise<void> {
  let octets = 0
  const kept = [...files].slice(0, MOST.unsaved).filter(([, file]) => (octets += file.size) <= MOST.unsavedOctets)
  return change(['unsaved'], tx => {
    const store = tx.objectStore('unsaved'), keys = store.getAllKeys()
    keys.onsuccess = () => {
      const there = new Set(keys.result.map(String)), wanted = new Map(kept)
      for (const key of there) if (!wanted.has(key)) store.delete(key)
      for (const [key, file] of wanted) if (!there.has(key)) store.put(file, key)
    }
  })
}

export const unsavedFile = (key: string) => get<Blob>('unsaved', key)
