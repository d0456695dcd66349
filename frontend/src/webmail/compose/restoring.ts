// Takes up again what was kept in this browser, with its files.

import { unsavedFile } from '../offline'
import { nextKey, type Attachment, type Draft } from './drafts'

export interface Restored {
  draft: Draft
  /** To be sent to the server, by the keys of attachments. */
  files: Map<string, File>
  /** Names of those that are nowhere. */
  lost: string[]
}

/** The draft with its files; `isThere` tells whether the server has what an attachment was of it. */
export async function restored(draft: Draft, isThere: (one: Attachment) => Promise<boolean>): Promise<Restored> {
  const attachments: Attachment[] = [], files = new Map<string, File>(), lost: string[] = []
  for (const before of draft.attachments) {
    // Keys are of the window that is gone.
    const one = { ...before, key: nextKey() }, file = one.blobId === null ? await unsavedFile(before.key) : undefined
    if (file) files.set(one.key, new File([file], one.name, { type: one.type }))
    else if (one.blobId === null || !await isThere(one)) {
      lost.push(one.name)
      continue
    }
    attachments.push(one)
  }
  return { draft: { ...draft, attachments }, files, lost }
}
