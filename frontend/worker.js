// Keeps the files of webmail, so that the page opens without network; what is in it comes from the browser's database.
//
// Files whose names tell their content are taken from here. The page itself is asked of the server, and taken from here
// when there is no answer. At `kept/<message>/<part>` it shows what the page kept of messages (src/webmail/offline.ts).
// Everything else, the mail of the server above all, is none of this worker's business.

/** Written in by the build: what the page needs, and a name for all of it together. */
const FILES = __FILES__
const CACHE = `moxpy ${self.registration.scope} __VERSION__`

self.addEventListener('install', event => {
  event.waitUntil(caches.open(CACHE).then(cache => cache.addAll(['./', ...FILES])).then(() => self.skipWaiting()))
})

self.addEventListener('activate', event => {
  const old = name => name.startsWith(`moxpy ${self.registration.scope} `) && name !== CACHE
  event.waitUntil(caches.keys().then(names => Promise.all(names.filter(old).map(name => caches.delete(name)))).then(() => self.clients.claim()))
})

self.addEventListener('fetch', event => {
  const { request } = event, { scope } = self.registration
  if (request.method !== 'GET' || !request.url.startsWith(scope)) return
  const path = request.url.slice(scope.length).replace(/[?#].*$/, '')
  if (path === '') event.respondWith(page(request))
  else if (path.startsWith('static/')) event.respondWith(file(request))
  else if (path.startsWith('kept/')) event.respondWith(kept(request, path))
})

async function page(request) {
  const cache = await caches.open(CACHE)
  try {
    const response = await fetch(request)
    if (response.ok && !response.redirected) await cache.put('./', response.clone())
    return response
  } catch (error) {
    const kept = await cache.match('./')
    if (!kept) throw error
    return kept
  }
}

async function file(request) {
  const cache = await caches.open(CACHE), kept = await cache.match(request, { ignoreVary: true })
  if (kept) return kept
  const response = await fetch(request)
  if (response.ok) await cache.put(request, response.clone())
  return response
}

// What is kept of messages.

const NOTHING = () => new Response('It is not kept.', { status: 404, headers: { 'content-type': 'text/plain' } })
const ALL = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer' }
const PICTURES = /^image\/(png|jpe?g|gif|webp|avif|bmp)$/

/** Only in the page, which shows nothing of it before somebody has logged in: not in a window of its own. */
async function kept(request, path) {
  const [, id, part] = path.split('/').map(decodeURIComponent)
  const found = ['iframe', 'image'].includes(request.destination) ? await stored(`${id} ${part}`) : undefined
  if (!found) return NOTHING()
  const type = found.type.toLowerCase().split(';')[0].trim()
  if (part === 'html') return letter(await found.text())
  if (PICTURES.test(type)) return new Response(found, { headers: { ...ALL, 'content-type': type, 'content-security-policy': "sandbox; default-src 'none'" } })
  // Viewers of PDF work in no sandbox.
  if (type === 'application/pdf') return new Response(found, { headers: { ...ALL, 'content-type': type, 'content-security-policy': "frame-ancestors 'self'" } })
  const charset = /charset="?([\w.:-]+)/.exec(found.type.toLowerCase())?.[1] ?? 'utf-8'
  const text = { 'content-type': `text/plain; charset=${charset}`, 'content-security-policy': "sandbox; default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'" }
  return new Response(found, { headers: { ...ALL, ...text } })
}

/**
 * A letter in a sandbox: no scripts, an origin of its own, nothing fetched. A frame with a sandbox is not asked of workers,
 * and what a frame takes from its page has the policy of that; so this page is one whose policy allows what letters need.
 */
function letter(html) {
  const quoted = html.replace(/&/g, '&amp;').replace(/"/g, '&quot;')
  const page = '<!doctype html><meta charset="utf-8"><style>html, body, iframe { margin: 0; border: 0; width: 100%; height: 100%; display: block }</style>' +
    `<iframe sandbox="allow-popups allow-popups-to-escape-sandbox" title="Message" srcdoc="${quoted}"></iframe>`
  const policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
  return new Response(page, { headers: { ...ALL, 'content-type': 'text/html; charset=utf-8', 'content-security-policy': policy } })
}

/** Of the page's database. It is closed at once, so that a log-out can remove it, and never made here. */
function stored(key) {
  return new Promise(resolve => {
    const request = indexedDB.open('moxpy-webmail')
    request.onupgradeneeded = () => request.transaction.abort()
    request.onerror = () => resolve(undefined)
    request.onsuccess = () => {
      const database = request.result
      const end = value => {
        database.close()
        resolve(value)
      }
      if (!database.objectStoreNames.contains('files')) return end(undefined)
      const asked = database.transaction('files').objectStore('files').get(key)
      asked.onsuccess = () => end(asked.result)
      asked.onerror = () => end(undefined)
    }
  })
}

// The push service of the browser brings what the server posts (RFC 8620 §7.2).
self.addEventListener('push', event => event.waitUntil(pushed(event.data)))

async function pushed(data) {
  let told = null
  try {
    told = data.json()
  } catch { /* Browsers say nothing more when something was sent that they cannot read. */ }
  const windows = await self.clients.matchAll({ type: 'window' })
  if (told?.['@type'] === 'PushVerification') {
    for (const one of windows) one.postMessage(told)
    return
  }
  if (windows.some(one => one.visibilityState === 'visible')) return
  const found = await latest()
  if (found === null) return
  await self.registration.showNotification(found.title, { body: found.body, tag: 'moxpy-mail', icon: 'static/icon-192.png' })
}

/**
 * What is told: the latest message that is unread; null where there is none, or where it was told before: what came went to
 * another mailbox. Without a login, that there is mail.
 */
async function latest() {
  const unknown = { title: 'New mail', body: 'Touch to read it.' }
  try {
    const cache = await caches.open(`moxpy-push ${self.registration.scope}`), at = name => new URL(name, self.registration.scope)
    const left = await cache.match(at('left'))
    if (!left) return unknown
    const { apiUrl, accountId, inbox, token } = await left.json()
    const response = await fetch(apiUrl, {
      method: 'POST', headers: { 'content-type': 'application/json', 'x-mox-csrf': token },
      body: JSON.stringify({ using: ['urn:ietf:params:jmap:core', 'urn:ietf:params:jmap:mail'], methodCalls: [
        ['Email/query', { accountId, filter: { operator: 'AND', conditions: [{ inMailbox: inbox }, { notKeyword: '$seen' }] }, sort: [{ property: 'receivedAt', isAscending: false }], limit: 1 }, 'q'],
        ['Email/get', { accountId, '#ids': { resultOf: 'q', name: 'Email/query', path: '/ids' }, properties: ['from', 'subject', 'preview'] }, 'g'],
      ] }),
    })
    const list = (await response.json()).methodResponses[1][1].list
    if (list.length === 0) return null
    const [{ id, from, subject, preview }] = list, person = from?.[0]
    if (await (await cache.match(at('told')))?.text() === id) return null
    await cache.put(at('told'), new Response(id))
    return { title: person?.name || person?.email || unknown.title, body: `${subject ?? ''}\n${preview ?? ''}` }
  } catch {
    return unknown
  }
}

// A notification of the page was touched: it is shown, at the message.
self.addEventListener('notificationclick', event => {
  event.notification.close()
  const place = `${self.registration.scope}${event.notification.data ?? ''}`
  event.waitUntil(self.clients.matchAll({ type: 'window' }).then(([open]) =>
    open ? open.focus().then(one => one.navigate(place)) : self.clients.openWindow(place)))
})
