// Calls of the server's functions, the session they belong to, and the stream of its events.
//
// `POST api/<Function>` relative to the page, with parameters by position or by name. The session is a cookie that no
// script sees; the CSRF token beside it is kept by this browser, so that its tabs share a login.

import { signal } from '@preact/signals'
import { ApiError } from '../lib/problem'
import { recall, remember } from '../lib/storage'

export { ApiError }

type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: unknown }
export type Params = readonly unknown[] | Readonly<Record<string, unknown>>

/** Functions of logging in, which need no session. */
const OPEN: ReadonlySet<string> = new Set(['Guest', 'LoginPrep', 'Login', 'PasskeyLoginPrep', 'PasskeyLogin'])

/** Which application this is: it names the CSRF token in storage. */
let application = 'moxpy'

export function startWire(name: string): void {
  application = name
}

/** Whether somebody has to log in; a login view shows itself, and calls wait for it. */
export const loginNeeded = signal(false)
/** The server's version, once it has answered; and whether it is another than at first, so that the page is old. */
export const serverVersion = signal('')
export const isOutdated = signal(false)

let waiting: (() => void)[] = []

/** Remembers the token of a new session and lets waiting calls go on. */
export function loggedIn(csrf: string): void {
  remember(`${application}.csrf`, csrf)
  loginNeeded.value = false
  const goOn = waiting
  waiting = []
  for (const one of goOn) one()
}

/** Forgets the session of this browser. */
export function loggedOut(): void {
  remember(`${application}.csrf`, null)
  loginNeeded.value = true
}

/** Logs out and begins anew. Without an answer the session is forgotten here all the same. */
export async function endSession(logOut: () => Promise<unknown>): Promise<void> {
  try {
    await logOut()
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
  }
  loggedOut()
  location.reload()
}

/** The token, for forms that are posted and for uploads. */
export function csrfToken(): string {
  return recall(`${application}.csrf`) ?? ''
}

/**
 * Calls a function of the server. Where a login is needed, it waits for one and repeats the call: but logging out, which would
 * be of whoever comes next.
 *
 * Throws ApiError.
 */
export function call<T>(name: string, params: Params = []): Promise<T> {
  if (name === 'Logout') return once<T>(name, params)
  return OPEN.has(name) ? once<T>(name, params, '') : withSession(token => once<T>(name, params, token))
}

/** Does what needs a session, with its token; where a login is needed, it waits for one and does it again. Throws ApiError. */
export async function withSession<T>(run: (token: string) => Promise<T>): Promise<T> {
  for (;;) {
    const token = csrfToken()
    if (token === '') {
      await login()
      continue
    }
    try {
      return await run(token)
    } catch (error) {
      if (!(error instanceof ApiError) || !isLoginWanted(error)) throw error
      // Another tab, or a call beside this one, may have logged in meanwhile.
      if (csrfToken() === token) await login()
    }
  }
}

function login(): Promise<void> {
  return new Promise(resolve => {
    waiting.push(resolve)
    loginNeeded.value = true
  })
}

/** One call, without waiting for a login. */
async function once<T>(name: string, params: Params, token: string = csrfToken()): Promise<T> {
  let response: Response
  try {
    response = await fetch(`api/${name}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(token === '' ? {} : { 'x-mox-csrf': token }) },
      body: JSON.stringify({ params }),
      credentials: 'same-origin',
      cache: 'no-store',
      redirect: 'error',
    })
  } catch {
    throw new ApiError('network', 'no answer')
  }
  noticeVersion(response.headers.get('x-moxpy-version'))
  if (response.status === 429) throw new ApiError('limited', 'too many requests')
  const answer = await body(response)
  if (answer['error'] !== undefined && answer['error'] !== null) {
    const { code, message } = answer['error'] as { code?: unknown, message?: unknown }
    throw new ApiError(typeof code === 'string' ? code : 'server:error', typeof message === 'string' ? message : '')
  }
  if (!response.ok) throw new ApiError(response.status === 404 ? 'sherpa:badFunction' : 'server:error', response.statusText)
  return answer['result'] as T
}

async function body(response: Response): Promise<Record<string, unknown>> {
  try {
    const parsed = await response.json() as Json
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed) ? parsed as Record<string, unknown> : {}
  } catch {
    return {}
  }
}

function isLoginWanted(error: ApiError): boolean {
  return error.code === 'user:noAuth' || error.code === 'user:badAuth'
}

/** Compares the version of an answer with that of the first. */
export function noticeVersion(version: string | null): void {
  if (!version) return
  if (serverVersion.value === '') serverVersion.value = version
  else if (serverVersion.value !== version) isOutdated.value = true
}

/** Whether events arrive; false while the stream is being opened again. */
export const isLive = signal(false)

/**
 * Listens to the server's events: `heard(kind, value)`. The browser opens the stream again when it breaks. A page that
 * nobody sees has none, since browsers open few connections to one server; whenever a stream begins, its first event
 * says that what was known before may be old. Returns what ends it.
 */
export function events(kinds: readonly string[], heard: (kind: string, value: unknown) => void): () => void {
  let source: EventSource | null = null
  const close = () => {
    source?.close()
    source = null
    isLive.value = false
  }
  const open = () => {
    close()
    if (document.hidden) return
    source = new EventSource('events')
    source.onopen = () => { isLive.value = true }
    source.onerror = () => { isLive.value = false }
    for (const kind of kinds)
      source.addEventListener(kind, event => heard(kind, JSON.parse((event as MessageEvent<string>).data) as unknown))
  }
  document.addEventListener('visibilitychange', open)
  open()
  return () => {
    document.removeEventListener('visibilitychange', open)
    close()
  }
}
