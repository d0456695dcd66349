// New mail is told while no window is open, too: our server posts to the push service of the browser (RFC 8620 §7.2), which
// wakes the worker (worker.js). It asks for what is new with what is left for it here, as it has no storage of the page.

import { accountOf, call, jmapSession } from '../api/jmap/client'
import { VAPID, type Id, type Session } from '../api/jmap/types'
import { withSession } from '../api/wire'
import { recall, remember } from '../lib/storage'
import { byRole } from './model'

const DEVICE = 'webmail.device', SUBSCRIPTION = 'webmail.push'
/** For the worker, which looks under the same name. */
const LEFT = () => `moxpy-push ${new URL('.', location.href).href}`

const mayPush = () => 'serviceWorker' in navigator && 'PushManager' in window && 'caches' in window
const keyOf = (session: Session) => session.capabilities[VAPID]?.applicationServerKey

/** Has the browser be told from now on; where it or the server cannot, nothing happens. */
export async function startPush(): Promise<void> {
  const session = await jmapSession(), key = keyOf(session)
  if (!mayPush() || key === undefined) return
  const { pushManager } = await navigator.serviceWorker.ready
  const owner = `${accountOf(session)}:${key}`, [,, whose] = recall(SUBSCRIPTION)?.split(' ') ?? []
  let subscription = await pushManager.getSubscription()
  if (subscription && whose !== owner) {
    // Of somebody who has not logged out: nobody else is to hear of his mail. Or of a server that was made anew.
    await subscription.unsubscribe()
    subscription = null
  }
  subscription ??= await pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key })
  const { endpoint, keys } = subscription.toJSON(), device = deviceId()
  if (endpoint === undefined) return
  await leave(session)
  const { list } = await call('PushSubscription/get', { ids: null })
  const mine = list.filter(one => one.deviceClientId === device).map(one => one.id)
  if (mine.some(id => recall(SUBSCRIPTION) === `${id} ${endpoint} ${owner}`)) return
  const { created } = await call('PushSubscription/set', {
    create: { new: { deviceClientId: device, url: endpoint, types: ['EmailDelivery'], ...keys ? { keys: { p256dh: keys['p256dh'] ?? '', auth: keys['auth'] ?? '' } } : {} } },
    destroy: mine,
  })
  const id = created?.['new']?.id
  remember(SUBSCRIPTION, id === undefined ? null : `${id} ${endpoint} ${owner}`)
}

/** Nothing is told any more, and nothing is left for the worker. */
export async function stopPush(): Promise<void> {
  const [id] = recall(SUBSCRIPTION)?.split(' ') ?? []
  await forgetPush()
  if (id !== undefined) await call('PushSubscription/set', { destroy: [id] })
}

/** The same in this browser alone: on the server it ends with the login. Waits for nobody else. */
export async function forgetPush(): Promise<void> {
  if (!mayPush()) return
  await caches.delete(LEFT())
  remember(SUBSCRIPTION, null)
  const registration = await navigator.serviceWorker.getRegistration()
  // Some browsers ask their push service.
  registration?.pushManager.getSubscription().then(one => one?.unsubscribe()).catch(() => undefined)
}

/** The server asks by the push service whether this browser wants it (RFC 8620 §7.2.2). */
export function startAnsweringPush(): void {
  if (!mayPush()) return
  navigator.serviceWorker.addEventListener('message', ({ data }: MessageEvent<unknown>) => {
    const told = data as { '@type'?: unknown, pushSubscriptionId?: Id, verificationCode?: string } | null
    if (told?.['@type'] !== 'PushVerification' || !told.pushSubscriptionId || !told.verificationCode) return
    void call('PushSubscription/set', { update: { [told.pushSubscriptionId]: { verificationCode: told.verificationCode } } }).catch(() => undefined)
  })
}

/** What the worker asks with: it lives as long as the login. */
async function leave(session: Session): Promise<void> {
  const inbox = byRole('inbox')
  if (!inbox) return
  await withSession(async token => {
    const left = { apiUrl: session.apiUrl, accountId: accountOf(session), inbox: inbox.id, token }
    await (await caches.open(LEFT())).put('./left', new Response(JSON.stringify(left)))
  })
}

function deviceId(): string {
  const known = recall(DEVICE) ?? crypto.randomUUID()
  remember(DEVICE, known)
  return known
}
