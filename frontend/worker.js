// Keeps the files of webmail, so that the page opens without network; what is in it comes from the browser's database.
//
// Files whose names tell their content are taken from here. The page itself is asked of the server, and taken from here
// when there is no answer. Everything else, the mail above all, is none of this worker's business.

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

// A notification of the page was touched: it is shown, at the message.
self.addEventListener('notificationclick', event => {
  event.notification.close()
  const place = `${self.registration.scope}${event.notification.data ?? ''}`
  event.waitUntil(self.clients.matchAll({ type: 'window' }).then(([open]) =>
    open ? open.focus().then(one => one.navigate(place)) : self.clients.openWindow(place)))
})
