// Push by the browser: whose it is.

import { afterEach, expect, test, vi } from 'vitest'
import { loggedIn, startWire } from '../src/api/wire'
import { recall } from '../src/lib/storage'
import { mailboxes } from '../src/webmail/model'
import { startPush } from '../src/webmail/push'

/** Who has logged in; what the server has of each. */
let account = 'A1', key = 'key', made = 0
const subscriptions = new Map<string, { id: string, deviceClientId: string }[]>()
vi.mock('../src/api/jmap/client', async original => ({
  ...await original<object>(),
  jmapSession: () => Promise.resolve({ apiUrl: 'api', capabilities: { 'urn:ietf:params:jmap:webpush-vapid': { applicationServerKey: key } }, primaryAccounts: { 'urn:ietf:params:jmap:mail': account } }),
  accountOf: () => account,
  call: (name: string, given: { create?: { new: { deviceClientId: string } } }) => {
    const mine = subscriptions.get(account) ?? []
    if (name === 'PushSubscription/get') return Promise.resolve({ list: mine })
    const id = `P${++made}`
    subscriptions.set(account, [{ id, deviceClientId: given.create?.new.deviceClientId ?? '' }])
    return Promise.resolve({ created: { new: { id } } })
  },
}))
afterEach(() => vi.unstubAllGlobals())

test('who logs in where another has not logged out does not hear of the mail of that one, nor does a new server use what an old one had', async () => {
  const gone: number[] = []
  let count = 0, now: number | null = null
  const subscription = (number: number) => ({
    toJSON: () => ({ endpoint: `https://push.example/${number}`, keys: {} }),
    unsubscribe: () => {
      gone.push(number)
      now = null
      return Promise.resolve(true)
    },
  })
  const pushManager = {
    getSubscription: () => Promise.resolve(now === null ? null : subscription(now)),
    subscribe: () => Promise.resolve(subscription(now = ++count)),
  }
  startWire('webmail')
  loggedIn('secret')
  mailboxes.value = [{ id: 'F1', name: 'Inbox', role: 'inbox', parentId: null }] as never
  vi.stubGlobal('PushManager', {})
  vi.stubGlobal('caches', { open: () => Promise.resolve({ put: () => Promise.resolve() }) })
  vi.stubGlobal('navigator', { serviceWorker: { ready: Promise.resolve({ pushManager }) } })
  await startPush()
  await startPush()
  expect([gone, count, made, recall('webmail.push')]).toEqual([[], 1, 1, 'P1 https://push.example/1 A1:key'])
  account = 'A2'
  await startPush()
  expect([gone, count, recall('webmail.push')]).toEqual([[1], 2, 'P2 https://push.example/2 A2:key'])
  key = 'another'
  await startPush()
  expect([gone, count, recall('webmail.push')]).toEqual([[1, 2], 3, 'P3 https://push.example/3 A2:another'])
})
