// What is being written: one message at a time; and what waits to be sent. The views, in compose/, are loaded when they are
// first wanted.

import { signal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { call } from '../api/jmap/client'
import type { Id } from '../api/jmap/types'
import { toast } from '../kit'
import { kept } from './compose/kept'
import { lateSubmissions } from './delivery'
import { session } from './model'
import { Settings } from './settings'

export interface ComposeStart {
  kind: 'new' | 'reply' | 'replyAll' | 'replyList' | 'forward' | 'draft' | 'mailto'
  /** What is answered, forwarded or gone on with. */
  emailId?: Id
  /** Text of the message that was selected: only this is quoted. */
  selection?: string
  /** `mailto:` address. */
  mailto?: string
}

/** What was begun; null when nothing is written. */
export const composing = signal<ComposeStart | null>(null)
/** Whether the window lies over the page, so that its keys are not the page's. */
export const composeShown = signal(false)

/** Messages that wait to be sent, beside those that wait only to be undone. */
export const scheduledCount = signal(0)
/** Messages that the server could not yet deliver to everybody. */
export const lateCount = signal(0)
/** Whether the list of them is shown. */
export const scheduledShown = signal(false)

const view = signal<typeof import('./compose/window') | null>(null)
const list = signal<typeof import('./compose/scheduled') | null>(null)

const failed = () => { toast('That view could not be loaded. Check the connection and try again.', 'bad') }

export function openCompose(start: ComposeStart): void {
  void import('./compose/window').then(loaded => {
    view.value = loaded
    return loaded.open(start)
  }, failed)
}

export function openScheduled(): void {
  void import('./compose/scheduled').then(loaded => {
    list.value = loaded
    scheduledShown.value = true
  }, failed)
}

/** Counts how often the server told of what is sent. */
export const submissionsTold = signal(0)

/** Counts what waits; called at the beginning and when the server tells of changes. */
export async function refreshScheduled(): Promise<void> {
  submissionsTold.value += 1
  try {
    const { ids, total } = await call('EmailSubmission/query', { filter: { undoStatus: 'pending', after: new Date(Date.now() + 60_000).toISOString().replace(/\.\d+/, '') }, calculateTotal: true, limit: 100 })
    scheduledCount.value = total ?? ids.length
    // What was just sent is on its way most times: it is looked at again when that may have changed.
    lateCount.value = (await lateSubmissions()).length
  } catch {
    // A server that cannot tell has none.
  }
}

/** Offers what a visit before could not save. */
function offer(username: string): void {
  const draft = kept(username)
  if (!draft) return
  const run = () => import('./compose/window').then(loaded => {
    view.value = loaded
    loaded.openKept(draft)
  }, failed)
  toast('A message that could not be saved is kept in this browser.', 'warn', { action: { text: 'Go on writing', run }, seconds: Infinity })
}

/** Once in the page: what is written, what waits, settings. */
export function Compose() {
  const username = session.value?.username
  useEffect(() => { if (username !== undefined && composing.peek() === null) offer(username) }, [username])
  const loaded = view.value, shown = list.value
  return <>
    {loaded && <loaded.ComposeWindow />}
    {shown && scheduledShown.value && <shown.Scheduled />}
    <Settings />
  </>
}

/** The help sheet shows them. */
export const COMPOSE_KEYS: readonly (readonly [string, string])[] = [
  ['Ctrl Enter', 'send'], ['Ctrl Shift Enter', 'send and archive the thread'], ['Ctrl S', 'save the draft'], ['Ctrl W, Escape', 'close'], ['Ctrl Shift O', 'to the recipients'],
  ['Ctrl Shift C', 'add Cc'], ['Ctrl Shift B', 'add Bcc'], ['Ctrl Shift Y', 'add Reply-To'], ['Ctrl Backspace', 'take away an empty field'], ['Ctrl +', 'add a field'],
]
