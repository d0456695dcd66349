// Where in an application one is: the hash of the address, `#/domains/example.org/dns?sort=name`.
//
// A route is the segments of its path and the values of its query. Before a change of place the guards are asked, so
// that unsaved input is not lost by a click.

import { signal } from '@preact/signals'

export interface Route {
  /** Decoded segments of the path; none at the beginning. */
  readonly path: readonly string[]
  readonly query: Readonly<Record<string, string>>
}

export function parseRoute(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#?\/?/, '').split('?', 2)
  return {
    path: path.split('/').filter(part => part !== '').map(decode),
    query: Object.fromEntries(new URLSearchParams(query)),
  }
}

/** The address of a place, for `href`. */
export function href(path: readonly (string | number)[], query: Readonly<Record<string, string>> = {}): string {
  const values = Object.entries(query).filter(([, value]) => value !== '')
  const suffix = values.length ? `?${new URLSearchParams(values).toString()}` : ''
  return `#/${path.map(part => encodeURIComponent(part)).join('/')}${suffix}`
}

export const route = signal<Route>(parseRoute(location.hash))

type Guard = () => boolean
const guards = new Set<Guard>()
let current = location.hash

/** `guard` says whether the place may be left, asking people if need be. Returns what takes it away. */
export function guardLeaving(guard: Guard): () => void {
  guards.add(guard)
  return () => guards.delete(guard)
}

export function go(path: readonly (string | number)[], query?: Readonly<Record<string, string>>): void {
  location.hash = href(path, query)
}

/** Changes values of the query without a step in the history. */
export function replaceQuery(query: Readonly<Record<string, string>>): void {
  current = href(route.value.path, query)
  history.replaceState(null, '', current)
  route.value = parseRoute(current)
}

/** Follows the address; called once by an application. */
export function startRouter(): void {
  window.addEventListener('hashchange', () => {
    if (location.hash === current) return
    const leaves = parseRoute(location.hash).path.join('/') !== route.value.path.join('/')
    if (leaves && ![...guards].every(guard => guard())) {
      history.replaceState(null, '', current || '#/')
      return
    }
    current = location.hash
    route.value = parseRoute(current)
  })
  window.addEventListener('beforeunload', event => {
    if (unsaved.size > 0) event.preventDefault()
  })
}

/** Forms with input that is not saved. */
export const unsaved = new Set<object>()

function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}
