// An import under way: the upload, and then the server's stream of its progress. The server goes on without the page; a
// page that is loaded anew finds it by the token that this browser keeps.

import { signal } from '@preact/signals'
import * as api from '../api/account'
import { ApiError, csrfToken } from '../api/wire'
import { recall, remember } from '../lib/storage'

export interface Done { Added: number, Duplicates: number, LeftOut: number }

export interface Importing {
  name: string
  /** Octets uploaded; null once all are. */
  sent: number | null
  whole: number
  step: string
  /** Messages by mailbox. */
  counts: Readonly<Record<string, number>>
  problems: readonly string[]
  done: Done | null
  failure: string | null
}

/** The import that is shown; null: none. */
export const running = signal<Importing | null>(null)

const KEY = 'account.import'
/** Shown of the things that are left out. */
const PROBLEMS = 1000

let source: EventSource | null = null
let sending: XMLHttpRequest | null = null
/** Milliseconds. A stream also breaks when the page is left, which says nothing of the import: then no time is left. */
const LEAVING = 2000

/** What is known after an event. */
export function told(state: Importing, kind: string, value: unknown): Importing {
  switch (kind) {
    case 'step': return { ...state, step: (value as { Title: string }).Title }
    case 'count': {
      const { Mailbox, Count } = value as { Mailbox: string, Count: number }
      return { ...state, counts: { ...state.counts, [Mailbox]: Count } }
    }
    case 'problem': return state.problems.length >= PROBLEMS ? state : { ...state, problems: [...state.problems, (value as { Message: string }).Message] }
    case 'done': return { ...state, done: value as Done }
    case 'aborted': return { ...state, failure: (value as { Message: string }).Message }
    default: return state
  }
}

/** Uploads an archive and follows its import. Throws ApiError when the server does not take it. */
export async function upload(file: File, prefix: string): Promise<void> {
  // A call that needs a session, so that a login comes before the upload and not behind it.
  await api.Version()
  running.value = { name: file.name, sent: 0, whole: file.size, step: '', counts: {}, problems: [], done: null, failure: null }
  try {
    const token = await post(file, prefix)
    remember(KEY, token)
    listen(token)
  } catch (error) {
    running.value = null
    throw error
  }
}

function post(file: File, prefix: string): Promise<string> {
  const form = new FormData()
  form.append('skipMailboxPrefix', prefix)
  form.append('file', file)
  return new Promise((resolve, reject) => {
    const request = sending = new XMLHttpRequest()
    request.open('POST', 'import')
    request.setRequestHeader('x-mox-csrf', csrfToken())
    request.upload.onprogress = event => { if (running.value) running.value = { ...running.value, sent: Math.min(event.loaded, file.size) } }
    request.onload = () => {
      const token = request.status === 200 ? tokenOf(request.responseText) : null
      if (token !== null) resolve(token)
      else reject(new ApiError('user:error', request.responseText.trim().slice(0, 500)))
    }
    request.onerror = () => reject(new ApiError('network', 'no answer'))
    request.onabort = () => reject(new ApiError('user:error', 'the upload was aborted'))
    request.onloadend = () => { sending = null }
    request.send(form)
  })
}

function tokenOf(answer: string): string | null {
  try {
    const { Token } = JSON.parse(answer) as { Token?: unknown }
    return typeof Token === 'string' ? Token : null
  } catch {
    return null
  }
}

function listen(token: string): void {
  source?.close()
  const fresh: Importing = { name: '', sent: null, whole: 0, step: '', counts: {}, problems: [], done: null, failure: null }
  const here = source = new EventSource(`importprogress?token=${encodeURIComponent(token)}`)
  // Every stream tells all from the beginning.
  here.onopen = () => { running.value = fresh }
  here.onerror = () => {
    if (here.readyState !== EventSource.CLOSED) return
    setTimeout(() => {
      if (source !== here) return
      // The server knows it no more.
      source = null
      forgetImport()
    }, LEAVING)
  }
  for (const kind of ['step', 'count', 'problem', 'done', 'aborted'])
    here.addEventListener(kind, event => {
      running.value = told(running.value ?? fresh, kind, JSON.parse((event as MessageEvent<string>).data) as unknown)
      if (kind !== 'done' && kind !== 'aborted') return
      here.close()
      source = null
    })
}

/** Follows an import that was begun before this page was loaded. */
export async function resumeImport(): Promise<void> {
  const isWanted = () => recall(KEY) !== null && source === null && running.value === null && typeof EventSource !== 'undefined'
  if (!isWanted()) return
  // The stream wants a session; without one it would look as if the server knew nothing of the import.
  await api.Version()
  const token = recall(KEY)
  if (token !== null && isWanted()) listen(token)
}

export async function abortImport(): Promise<void> {
  if (sending) sending.abort()
  else {
    const token = recall(KEY)
    if (token !== null) await api.ImportAbort(token)
  }
}

/** No import is shown any more. */
export function forgetImport(): void {
  remember(KEY, null)
  running.value = null
}
