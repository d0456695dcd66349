import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { ApiError, call, csrfToken, events, isLive, isOutdated, loggedIn, loggedOut, loginNeeded, serverVersion, startWire } from '../src/api/wire'

interface Sent { url: string, csrf: string | null, body: unknown }
let sent: Sent[]
/** What the server says, one after the other; the last again and again. */
let answers: (() => Response)[]

function answer(body: unknown, { status = 200, version = '1.0' } = {}): () => Response {
  return () => new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json', 'x-moxpy-version': version } })
}
const ok = (result: unknown) => answer({ result })
const bad = (code: string, message = '') => answer({ error: { code, message } })

beforeEach(() => {
  sent = []
  localStorage.clear()
  startWire('webtest')
  loggedIn('secret')
  serverVersion.value = ''
  isOutdated.value = false
  vi.stubGlobal('fetch', (url: string, init: { headers: Record<string, string>, body: string }) => {
    sent.push({ url, csrf: init.headers['x-mox-csrf'] ?? null, body: JSON.parse(init.body) })
    const next = answers.length > 1 ? answers.shift() : answers[0]
    return next ? Promise.resolve(next()) : Promise.reject(new TypeError('refused'))
  })
})
afterEach(() => vi.unstubAllGlobals())

test('a call brings parameters and the token', async () => {
  answers = [ok([1, 2])]
  expect(await call('QueueList', [{ Max: 1 }, null])).toEqual([1, 2])
  expect(sent).toEqual([{ url: 'api/QueueList', csrf: 'secret', body: { params: [{ Max: 1 }, null] } }])
})

test('parameters may go by name', async () => {
  answers = [ok(null)]
  await call('DomainAdd', { Domain: 'x.example' })
  expect(sent[0]?.body).toEqual({ params: { Domain: 'x.example' } })
})

test.each([
  ['an error of the server', [bad('user:error', 'no such thing')], 'user:error', 'no such thing'],
  ['no answer', [], 'network', 'no answer'],
  ['too many attempts', [answer({}, { status: 429 })], 'limited', 'too many requests'],
  ['an unknown function', [answer('', { status: 404 })], 'sherpa:badFunction', ''],
  ['a proxy that fails', [() => new Response('<html>', { status: 502 })], 'server:error', ''],
])('%s is an ApiError', async (_, given, code, message) => {
  answers = given
  const error = await call('Domains').catch((problem: unknown) => problem)
  expect(error).toBeInstanceOf(ApiError)
  expect(error).toMatchObject({ code, message })
})

test('a call waits for a login and is repeated', async () => {
  answers = [bad('user:badAuth'), ok('done')]
  const waiting = call<string>('Domains')
  await vi.waitFor(() => expect(loginNeeded.value).toBe(true))
  expect(sent).toHaveLength(1)
  loggedIn('other')
  expect(await waiting).toBe('done')
  expect(sent.map(one => one.csrf)).toEqual(['secret', 'other'])
  expect(loginNeeded.value).toBe(false)
})

test('logging out waits for no login, which would be of whoever comes next', async () => {
  answers = [bad('user:noAuth', 'the session is over'), ok('done')]
  await expect(call('Logout')).rejects.toMatchObject({ code: 'user:noAuth' })
  loggedIn('other')
  await Promise.resolve()
  expect(sent.map(one => one.csrf)).toEqual(['secret'])
})

test('without a token nothing is sent before the login', async () => {
  answers = [ok('done')]
  loggedOut()
  const waiting = Promise.all([call('Domains'), call('Accounts')])
  await Promise.resolve()
  expect(sent).toHaveLength(0)
  loggedIn('new')
  expect(await waiting).toEqual(['done', 'done'])
  expect(csrfToken()).toBe('new')
})

test('logging in waits for nobody', async () => {
  answers = [ok('token')]
  loggedOut()
  expect(await call('LoginPrep')).toBe('token')
  expect(sent).toEqual([{ url: 'api/LoginPrep', csrf: null, body: { params: [] } }])
})

test('what another tab logged in is used at once', async () => {
  answers = [() => {
    localStorage.setItem('moxpy.webtest.csrf', 'of-the-other-tab')
    return bad('user:badAuth')()
  }, ok('done')]
  expect(await call('Domains')).toBe('done')
  expect(sent[1]?.csrf).toBe('of-the-other-tab')
})

test('another version of the server makes the page old', async () => {
  answers = [ok(1), answer({ result: 1 }, { version: '1.1' })]
  await call('Domains')
  expect([serverVersion.value, isOutdated.value]).toEqual(['1.0', false])
  await call('Domains')
  expect(isOutdated.value).toBe(true)
})

test('a page that nobody sees has no stream of events', () => {
  const sources: FakeSource[] = []
  class FakeSource extends EventTarget {
    onopen: (() => void) | null = null
    isOpen = true
    constructor(readonly url: string) {
      super()
      sources.push(this)
    }
    close() {
      this.isOpen = false
    }
  }
  vi.stubGlobal('EventSource', FakeSource)
  const hidden = vi.spyOn(document, 'hidden', 'get').mockReturnValue(false)
  const heard: [string, unknown][] = []
  const stop = events(['Changed'], (kind, value) => heard.push([kind, value]))
  sources[0]?.onopen?.()
  expect([sources.length, sources[0]?.url, isLive.value]).toEqual([1, 'events', true])
  sources[0]?.dispatchEvent(new MessageEvent('Changed', { data: '{"Size":2}' }))
  expect(heard).toEqual([['Changed', { Size: 2 }]])
  hidden.mockReturnValue(true)
  document.dispatchEvent(new Event('visibilitychange'))
  expect([sources.length, sources[0]?.isOpen, isLive.value]).toEqual([1, false, false])
  hidden.mockReturnValue(false)
  document.dispatchEvent(new Event('visibilitychange'))
  expect([sources.length, sources[1]?.isOpen]).toEqual([2, true])
  stop()
  document.dispatchEvent(new Event('visibilitychange'))
  expect([sources.length, sources[1]?.isOpen]).toEqual([2, false])
  hidden.mockRestore()
})
