// What could not be saved on the server is kept in this browser, so that it outlives a crash, or a battery, while there is
// no connection. Only its text: files are sent again.

import { recall, remember } from '../../lib/storage'
import type { Draft } from './drafts'

const KEY = 'webmail.unsaved'
/** Browsers give some five million for all that is kept. */
const MOST = 1_000_000

interface Kept { username: string, draft: Draft }

export function keep(username: string, draft: Draft): void {
  const text = JSON.stringify({ username, draft: { ...draft, attachments: [] } } satisfies Kept)
  if (text.length <= MOST) remember(KEY, text)
}

/** Once it is saved or not wanted; and when somebody logs out. */
export function forgetKept(): void {
  if (recall(KEY) !== null) remember(KEY, null)
}

/** Of another account it is nobody's business here. */
export function kept(username: string): Draft | null {
  const text = recall(KEY)
  if (text === null) return null
  try {
    const found = JSON.parse(text) as Partial<Kept>
    if (found.username === username && found.draft && Array.isArray(found.draft.to)) return found.draft
  } catch { /* Something else has written there. */ }
  remember(KEY, null)
  return null
}
