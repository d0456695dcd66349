// The JMAP client: calls of one tick travel in one request (RFC 8620 §3.3), files go up and down, and push tells of changes.
//
//     const found = call('Email/query', { filter, limit: 50 })
//     const heads = call('Email/get', { '#ids': reference(found, '/ids'), properties: HEAD })
//     const { list } = await heads
//
// Who is logged in is wire.ts's affair: where a login is needed, calls wait for it. All failures are ApiErrors, whose code is
// JMAP's error type.

import { ApiError, isLive, noticeVersion, withSession } from '../wire'
import {
  CORE, MAIL, OWN, QUOTA, SUBMISSION, VACATION,
  type Id, type MethodName, type Methods, type PushType, type Reference, type Referring, type Session, type SetError, type SetResponse, type TypeStates,
} from './types'

/** Where JMAP is, seen from the page. */
const SESSION = 'jmap/session'
const USED = [CORE, MAIL, SUBMISSION, VACATION, QUOTA, OWN]
/** Until the session object says it. */
const LIMITS = { maxCallsInRequest: 16, maxConcurrentRequests: 4, maxObjectsInGet: 500, maxObjectsInSet: 500, maxSizeUpload: 50_000_000 }

// The session.

let asked: Promise<Session> | null = null

/** The session object, fetched once. Throws ApiError. */
export function jmapSession(): Promise<Session> {
  asked ??= withSession(async () => await answered(await fetched(SESSION, {})) as Session)
    .catch((error: unknown) => {
      asked = null
      throw error
    })
  return asked
}

/** A session object of an earlier visit, to begin with; answers tell when it has changed (RFC 8620 §3.4). */
export function offerSession(session: Session): void {
  asked ??= Promise.resolve(session)
}

/** Has the session object fetched again: another login, another server. */
export function forgetSession(): void {
  asked = null
}

export function accountOf(session: Session): Id {
  return session.primaryAccounts[MAIL] ?? Object.keys(session.accounts)[0] ?? ''
}

export function limitsOf(session: Session): typeof LIMITS {
  return { ...LIMITS, ...session.capabilities[CORE] }
}

// Calls.

interface Waiting {
  id: string
  name: MethodName
  arguments: Record<string, unknown>
  resolve: (value: unknown) => void
  reject: (error: unknown) => void
}

/** A call that is under way; it may be referred to by calls of the same tick. */
export interface Call<T> extends Promise<T> {
  readonly id: string
  readonly method: MethodName
}

let waiting: Waiting[] = []
let count = 0

/** Calls a method of JMAP for the account. Throws ApiError. */
export function call<N extends MethodName>(name: N, given: Referring<Methods[N][0]>): Call<Methods[N][1]> {
  const id = `c${count++}`
  const promise = new Promise<unknown>((resolve, reject) => {
    if (waiting.length === 0) queueMicrotask(sendWaiting)
    waiting.push({ id, name, arguments: given as Record<string, unknown>, resolve, reject })
  })
  return Object.assign(promise as Promise<Methods[N][1]>, { id, method: name })
}

/** What an earlier call of this tick answers, at a path of RFC 8620 §3.7: `/ids`; `*` stands for each of a list. */
export function reference(to: Call<unknown>, path: string): Reference {
  return { resultOf: to.id, name: to.method, path }
}

function sendWaiting(): void {
  const calls = waiting
  waiting = []
  void send(calls).catch((error: unknown) => { for (const one of calls) one.reject(error) })
}

/** How many requests are on their way, and who waits for a place among them. */
let running = 0
const queue: (() => void)[] = []

async function send(calls: readonly Waiting[]): Promise<void> {
  const session = await jmapSession(), limits = limitsOf(session), results = new Map<string, Result>()
  for (let from = 0; from < calls.length; from += limits.maxCallsInRequest) {
    const part = calls.slice(from, from + limits.maxCallsInRequest), here = new Set(part.map(one => one.id))
    const methodCalls: [string, Record<string, unknown>, string][] = []
    for (const one of part) {
      try {
        // Subscriptions belong to a login, not to an account.
        const of = one.name.startsWith('PushSubscription/') ? {} : { accountId: accountOf(session) }
        methodCalls.push([one.name, { ...of, ...resolved(one.arguments, here, results) }, one.id])
      } catch (error) {
        one.reject(error)
      }
    }
    if (methodCalls.length === 0) continue
    if (running >= limits.maxConcurrentRequests) await new Promise<void>(resolve => queue.push(resolve))
    running += 1
    try {
      const answer = await post(session, methodCalls)
      for (const [name, value, id] of answer.methodResponses) {
        // An implicit response of a call comes behind its own, with the same id (RFC 8620 §5.3).
        if (results.has(id)) continue
        results.set(id, { name, value })
      }
      if (answer.sessionState !== session.state) forgetSession()
    } finally {
      running -= 1
      queue.shift()?.()
    }
    for (const one of part) {
      const result = results.get(one.id)
      if (!result) one.reject(new ApiError('serverFail', `no answer to ${one.name}`))
      else if (result.name === 'error') {
        if (result.value['type'] === 'accountNotFound') forgetSession()
        one.reject(methodError(one.name, result.value))
      } else one.resolve(result.value)
    }
  }
}

interface Result { name: string, value: Record<string, unknown> }
interface Answer { methodResponses: [string, Record<string, unknown>, string][], sessionState: string }

async function post(session: Session, methodCalls: unknown): Promise<Answer> {
  const body = JSON.stringify({ using: USED.filter(one => one in session.capabilities), methodCalls })
  return withSession(async token => await answered(await fetched(session.apiUrl, {
    method: 'POST', headers: { 'content-type': 'application/json', 'x-mox-csrf': token }, body,
  })) as Answer)
}

async function fetched(url: string, options: RequestInit): Promise<Response> {
  try {
    return await fetch(url, { credentials: 'same-origin', cache: 'no-store', redirect: 'error', ...options })
  } catch {
    throw new ApiError('network', 'no answer')
  }
}

async function answered(response: Response): Promise<unknown> {
  noticeVersion(response.headers.get('x-moxpy-version'))
  if (response.ok) {
    try {
      return await response.json()
    } catch {
      throw new ApiError('network', 'the answer was cut off')
    }
  }
  throw requestError(response.status, await response.text().catch(() => ''))
}

/** RFC 8620 §3.6.1. */
function requestError(status: number, text: string): ApiError {
  if (status === 401 || status === 403) return new ApiError('user:noAuth', 'not logged in')
  if (status === 429) return new ApiError('limited', 'too many requests')
  let problem: { type?: unknown, detail?: unknown, limit?: unknown } = {}
  try {
    problem = JSON.parse(text) as typeof problem
  } catch { /* A proxy's page, perhaps. */ }
  const type = String(problem.type ?? '').replace('urn:ietf:params:jmap:error:', '')
  const detail = String(problem.detail ?? '')
  if (type === 'limit') return new ApiError('limit', detail || `more than the server takes: ${String(problem.limit)}`)
  return new ApiError(status >= 500 || type === '' ? 'server:error' : type, detail || `status ${status}`)
}

/** RFC 8620 §3.6.2. */
const MEANINGS: Record<string, string> = {
  accountReadOnly: 'this account may not be changed from here',
  cannotCalculateChanges: 'the server no longer knows what has changed since',
  fromAccountNotFound: 'there is no such account',
  notFound: 'it is no longer there',
  overQuota: 'the account is full',
  requestTooLarge: 'that is more than the server takes at once',
  stateMismatch: 'it was changed elsewhere meanwhile',
  tooLarge: 'it is too large',
  mailboxHasChild: 'there are mailboxes below it',
  mailboxHasEmail: 'there are messages in it',
  rateLimit: 'too many changes in a short time: try again later',
}

function methodError(name: string, { type, description }: Record<string, unknown>): ApiError {
  const text = typeof description === 'string' ? description : ''
  switch (type) {
    case 'unknownMethod': return new ApiError('sherpa:badFunction', name)
    case 'serverFail': case 'serverUnavailable': return new ApiError('server:error', text)
    default: return new ApiError(String(type), text || (MEANINGS[String(type)] ?? `${name}: ${String(type)}`))
  }
}

/** What kept one thing from being created, changed or removed (RFC 8620 §5.3). */
export function setError({ type, description }: SetError): ApiError {
  return new ApiError(type, description ?? MEANINGS[type] ?? type)
}

/** Throws the first of what could not be done. */
export function orThrow<T>(response: SetResponse<T>): SetResponse<T> {
  const failed = [response.notCreated, response.notUpdated, response.notDestroyed].flatMap(one => Object.values(one ?? {}))[0]
  if (failed) throw setError(failed)
  return response
}

/** Arguments as they are sent. References to answers that are here already, since a batch was too long for one request, become values. */
function resolved(given: Record<string, unknown>, here: ReadonlySet<string>, results: ReadonlyMap<string, Result>): Record<string, unknown> {
  const sent: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(given)) {
    if (!name.startsWith('#')) sent[name] = value
    else {
      const { resultOf, path } = value as Reference
      const known = results.get(resultOf)
      if (here.has(resultOf) || !known) sent[name] = value
      else if (known.name === 'error') throw new ApiError('invalidResultReference', 'an earlier call failed')
      else sent[name.slice(1)] = atPath(known.value, path)
    }
  }
  return sent
}

/** RFC 6901 with `*` for each member of a list (RFC 8620 §3.7). */
export function atPath(value: unknown, path: string): unknown {
  let at: unknown = value
  const tokens = path.split('/').slice(1).map(one => one.replace(/~1/g, '/').replace(/~0/g, '~'))
  for (const [index, token] of tokens.entries()) {
    if (token === '*' && Array.isArray(at)) {
      const rest = tokens.slice(index + 1), left = rest.length > 0 ? `/${rest.map(one => one.replace(/~/g, '~0').replace(/\//g, '~1')).join('/')}` : ''
      return at.flatMap(one => atPath(one, left))
    }
    at = (at as Record<string, unknown> | undefined)?.[token]
  }
  return at
}

// Files.

/** Fills in the variables of RFC 8620 §2 (level 1 of RFC 6570). */
export function expand(template: string, values: Readonly<Record<string, string>>): string {
  return template.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(values[name] ?? ''))
}

export function downloadUrl(session: Session, blobId: Id, name: string, type: string): string {
  return expand(session.downloadUrl, { accountId: accountOf(session), blobId, name, type })
}

export interface Uploaded { accountId: Id, blobId: Id, type: string, size: number }

/** Sends a file (RFC 8620 §6.1). `told` hears of octets sent. Throws ApiError, `aborted` after an abort. */
export async function upload(file: Blob, told?: (sent: number, of: number) => void, signal?: AbortSignal): Promise<Uploaded> {
  const session = await jmapSession()
  const most = limitsOf(session).maxSizeUpload
  if (file.size > most) throw new ApiError('tooLarge', `the file is larger than the ${Math.floor(most / 1024 / 1024)} MB that the server takes`)
  const url = expand(session.uploadUrl, { accountId: accountOf(session) })
  return withSession(token => new Promise<Uploaded>((resolve, reject) => {
    const request = new XMLHttpRequest()
    request.open('POST', url)
    request.setRequestHeader('x-mox-csrf', token)
    request.setRequestHeader('content-type', file.type || 'application/octet-stream')
    request.upload.onprogress = event => told?.(event.loaded, event.lengthComputable ? event.total : file.size)
    request.onerror = () => reject(new ApiError('network', 'no answer'))
    request.onabort = () => reject(new ApiError('aborted', 'given up'))
    request.onload = () => {
      if (request.status >= 200 && request.status < 300) resolve(JSON.parse(request.responseText) as Uploaded)
      else reject(requestError(request.status, request.responseText))
    }
    if (signal?.aborted) reject(new ApiError('aborted', 'given up'))
    else {
      signal?.addEventListener('abort', () => request.abort())
      request.send(file)
    }
  }))
}

// Push.

const PING_SECONDS = 60
/** Between attempts to open the stream again. */
const PAUSES_MS = [0, 1000, 2000, 5000, 10_000, 30_000]

/**
 * Listens to the server's push (RFC 8620 §7.3). `heard` gets new states; `opened` is called whenever the stream begins,
 * since what was known before may be old. Returns what ends it.
 *
 * Browsers open few connections to one server, so tabs share a stream: one has it and tells the others, and when that
 * goes, another takes its place. Where they cannot agree on one, for want of TLS, a tab that nobody sees has none.
 */
export function push(types: readonly PushType[], heard: (states: TypeStates) => void, opened: () => void): () => void {
  const name = `moxpy.push ${location.pathname}`
  if (typeof BroadcastChannel === 'undefined' || !('locks' in navigator)) return whileSeen(() => stream(types, heard, opened, live => { isLive.value = live }))
  const channel = new BroadcastChannel(name), ended = new AbortController()
  let isLeader = false
  const tell = (news: News) => { if (!ended.signal.aborted) channel.postMessage(news) }
  channel.onmessage = ({ data }: MessageEvent<News>) => {
    if (data.kind === 'ask') {
      if (isLeader) tell({ kind: 'live', isLive: isLive.value })
    } else if (isLeader) return
    else if (data.kind === 'states') heard(data.states)
    else {
      const before = isLive.value
      isLive.value = data.isLive
      if (data.isLive && !before) opened()
    }
  }
  tell({ kind: 'ask' })
  navigator.locks.request(name, { signal: ended.signal }, () => new Promise<void>(resolve => {
    // It may have been ended between the giving of the lock and this.
    if (ended.signal.aborted) {
      resolve()
      return
    }
    isLeader = true
    const stop = stream(types, states => {
      tell({ kind: 'states', states })
      heard(states)
    }, opened, live => {
      isLive.value = live
      tell({ kind: 'live', isLive: live })
    })
    ended.signal.addEventListener('abort', () => {
      stop()
      resolve()
    })
  })).catch(() => undefined)
  return () => {
    if (isLeader) tell({ kind: 'live', isLive: false })
    ended.abort()
    channel.close()
    isLive.value = false
  }
}

/** What tabs tell each other. */
type News = { kind: 'ask' } | { kind: 'states', states: TypeStates } | { kind: 'live', isLive: boolean }

function whileSeen(begin: () => () => void): () => void {
  let stop: (() => void) | null = null
  const change = () => {
    stop?.()
    stop = document.hidden ? null : begin()
  }
  document.addEventListener('visibilitychange', change)
  change()
  return () => {
    document.removeEventListener('visibilitychange', change)
    stop?.()
  }
}

/** One stream, opened again whenever it breaks. */
function stream(types: readonly PushType[], heard: (states: TypeStates) => void, opened: () => void, live: (is: boolean) => void): () => void {
  let source: EventSource | null = null, timer: ReturnType<typeof setTimeout> | undefined, failures = 0, ended = false
  const close = () => {
    clearTimeout(timer)
    source?.close()
    source = null
    live(false)
  }
  const again = () => {
    close()
    if (ended) return
    timer = setTimeout(() => { void open() }, PAUSES_MS[Math.min(failures, PAUSES_MS.length - 1)])
    failures += 1
  }
  /** Pings come in time or the connection is dead, as after a sleep of the machine. */
  const wait = () => {
    clearTimeout(timer)
    timer = setTimeout(again, 2.5 * PING_SECONDS * 1000)
  }
  const open = async () => {
    let session: Session
    try {
      session = await jmapSession()
    } catch {
      again()
      return
    }
    if (ended) return
    const account = accountOf(session)
    source = new EventSource(expand(session.eventSourceUrl, { types: types.join(','), closeafter: 'no', ping: String(PING_SECONDS) }))
    source.onopen = () => {
      failures = 0
      live(true)
      wait()
      opened()
    }
    source.onerror = again
    source.addEventListener('ping', wait)
    source.addEventListener('state', event => {
      wait()
      const { changed } = JSON.parse((event as MessageEvent<string>).data) as { changed: Record<Id, TypeStates> }
      const states = changed[account]
      if (states) heard(states)
    })
  }
  const online = () => {
    failures = 0
    again()
  }
  window.addEventListener('online', online)
  void open()
  return () => {
    ended = true
    window.removeEventListener('online', online)
    close()
  }
}
