// What could not be saved on the server is kept in this browser, so that it outlives a crash, or a battery, while there is
// no connection: its text in the storage, and its files in the database, as many as offline.ts says.

import { recall, remember } from '../../lib/storage'
import { keepUnsaved } from '../offline'
import type { Draft } from './drafts'

const KEY = 'webmail.unsaved'
/** Browsers give some five million for all that is kept. */
const MOST = 1_000_000

interface Kept { username: string, draft: Draft }

/** `files`: those that the server may not have, by the keys of attachments. */
export function keep(username: string, draft: Draft, files: ReadonlyMap<string, Blob>): void {
  const attachments = draft.attachments.map(one => files.has(one.key) ? { ...one, blobId: null } : one)
  const text = JSON.stringify({ username, draft: { ...draft, attachments } } satisfies Kept)
  if (text.length > MOST) return
  remember(KEY, text)
  void keepUnsaved(files)
}

/** Once it is saved or not wanted; and when somebody logs out. */
export function forgetKept(): void {
  if (recall(KEY) === null) return
  remember(KEY, null)
  void keepUnsaved(new Map())
}

/** Of another account it is nobody's business here. */
export function kept(username: string): Draft | null {
  const text = recall(KEY)
  if (text === null) return null
  try {
    const found = JSON.parse(text) as Partial<Kept>
    if (found.username === username && found.draft && Array.isArray(found.draft.to) && Array.isArray(found.draft.attachments)) return found.draft
  } catch { /* Something else has written there. */ }
  forgetKept()
  return null
}
