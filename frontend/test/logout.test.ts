// Logging out of webmail: what goes, in which order, and what is not waited for.

import { afterEach, expect, test, vi } from 'vitest'
import { loggedIn, startWire } from '../src/api/wire'
import { recall, remember } from '../src/lib/storage'
import { logOut } from '../src/webmail/logout'

const done: string[] = []
vi.mock('../src/webmail/offline', async original => ({ ...await original<object>(), clear: () => Promise.resolve(void done.push('mail')) }))
afterEach(() => vi.unstubAllGlobals())

test('what is kept goes before any server is asked, and an answer of none is waited for', async () => {
  const never = new Promise<never>(() => undefined)
  startWire('webmail')
  loggedIn('secret')
  remember('webmail.push', 'P1 https://push.example/1 A1')
  remember('webmail.unsaved', 'x')
  vi.stubGlobal('PushManager', {})
  vi.stubGlobal('caches', { delete: (name: string) => Promise.resolve(void done.push(name.split(' ')[0] ?? '')) })
  const unsubscribe = () => {
    done.push('unsubscribe')
    return never
  }
  vi.stubGlobal('navigator', { serviceWorker: { getRegistration: () => Promise.resolve({ pushManager: { getSubscription: () => Promise.resolve({ unsubscribe }) } }) } })
  vi.stubGlobal('location', { href: 'https://mail.example/webmail/', reload: () => { done.push('reload') } })
  vi.stubGlobal('fetch', (url: string) => {
    done.push(url)
    return Promise.resolve(new Response(JSON.stringify({ error: { code: 'user:noAuth', message: 'the session is over' } })))
  })
  await logOut()
  expect(done.slice(0, 2)).toEqual(['mail', 'moxpy-push'])
  expect(done).toContain('unsubscribe')
  expect(done.filter(one => one.startsWith('api/') || one.startsWith('http'))).toEqual(['api/Logout'])
  expect(done.at(-1)).toBe('reload')
  expect(['webmail.push', 'webmail.unsaved', 'webmail.csrf'].map(recall)).toEqual([null, null, null])
})
