// What was opened stays readable without network: its HTML and its small files are fetched once more, after a while and in
// the background, and kept in this browser (offline.ts, which also says how much).

import { signal } from '@preact/signals'
import { useEffect, useState } from 'preact/hooks'
import type { EmailBodyPart, EmailFull, Id } from '../api/jmap/types'
import { bodyUrl, downloadUrl } from './documents'
import { isOffline } from './model'
import * as store from './offline'

/** How long a message is looked at before it is worth keeping. */
const LOOKED_AT_MS = 1500

/** Whether the worker is there that shows what is kept. */
const canShow = () => 'serviceWorker' in navigator && navigator.serviceWorker.controller !== null

/** Counts what was kept, so that views look again. */
const kept = signal(0)

export const keptUrl = (id: Id, part: string) => `kept/${encodeURIComponent(id)}/${encodeURIComponent(part)}`

const NOTHING: ReadonlySet<string> = new Set()

/** While there is no network, the parts of a message that are kept: numbers of files, and `html`. */
export function useKept(id: Id): ReadonlySet<string> {
  const [parts, setParts] = useState(NOTHING), isAway = isOffline.value, turn = kept.value
  useEffect(() => {
    let left = false
    if (!isAway || !canShow()) setParts(NOTHING)
    else void store.parts(id).then(found => { if (!left) setParts(found) })
    return () => { left = true }
  }, [id, isAway, turn])
  return parts
}

/** Keeps what belongs to a message that is looked at. */
export function useKeeping(one: EmailFull | undefined, files: readonly EmailBodyPart[], isHTML: boolean): void {
  const isAway = isOffline.value
  useEffect(() => {
    if (!one || isAway) return
    const ended = new AbortController()
    const timer = setTimeout(() => { if (canShow() && !isSaving()) void keepOpened(one.id, files, isHTML, ended.signal) }, LOOKED_AT_MS)
    return () => {
      clearTimeout(timer)
      ended.abort()
    }
  }, [one, isAway, isHTML])
}

/** People who pay for each octet say so to their browser. */
function isSaving(): boolean {
  return (navigator as Navigator & { connection?: { saveData?: boolean } }).connection?.saveData === true
}

async function keepOpened(id: Id, files: readonly EmailBodyPart[], isHTML: boolean, ended: AbortSignal): Promise<void> {
  const known = await store.parts(id)
  store.touch(id, known)
  const wanted: (readonly [part: string, url: string])[] = isHTML ? [['html', bodyUrl(id, 'html')]] : []
  let octets = 0
  for (const { partId, size } of files) {
    if (partId === null || size > store.MOST.fileOctets) continue
    octets += size
    if (octets <= store.MOST.messageOctets) wanted.push([partId, downloadUrl(id, partId)])
  }
  for (const [part, url] of wanted) {
    if (known.has(part)) continue
    try {
      const answer = await fetch(url, { credentials: 'same-origin', redirect: 'error', signal: ended })
      if (answer.ok) await store.keepFile(id, part, await answer.blob())
    } catch {
      // No network, or one has gone on: it is only a copy.
      return
    }
  }
  kept.value += 1
}

/** Gives a file that is kept, where the server cannot. */
export async function downloadKept(id: Id, part: string, name: string): Promise<void> {
  const found = await store.file(id, part)
  if (!found) return
  const link = document.createElement('a'), url = URL.createObjectURL(found)
  link.href = url
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(url), 60_000)
}
