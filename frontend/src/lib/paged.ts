// Lists that the server filters, sorts and hands out a page at a time.

import { signal, type ReadonlySignal } from '@preact/signals'
import { useEffect, useMemo, useRef } from 'preact/hooks'
import type { Resource } from './resource'
import { replaceQuery, route } from './router'

export const PAGE_ROWS = 100

export interface Paged<Row> extends Resource<readonly Row[]> {
  readonly hasMore: ReadonlySignal<boolean>
  more(): Promise<void>
}

/** `fetch` gets the last row there is, behind which the next ones are wanted. All begins anew when `inputs` change. */
export function usePaged<Row>(fetch: (last: Row | undefined) => Promise<Row[]>, inputs: readonly unknown[]): Paged<Row> {
  const latest = useRef(fetch)
  latest.current = fetch
  const paged = useMemo((): Paged<Row> => {
    const data = signal<readonly Row[] | undefined>(undefined), error = signal<unknown>(undefined)
    const hasMore = signal(false), loading = signal(false)
    let turn = 0
    const load = async (before: readonly Row[]) => {
      const mine = ++turn
      loading.value = true
      try {
        const found = await latest.current(before.at(-1))
        if (mine !== turn) return
        data.value = [...before, ...found]
        hasMore.value = found.length >= PAGE_ROWS
        error.value = undefined
      } catch (problem) {
        if (mine === turn) error.value = problem
      } finally {
        if (mine === turn) loading.value = false
      }
    }
    const set = (rows: readonly Row[]) => { data.value = rows }
    return { data, error, loading, hasMore, set, more: () => load(data.value ?? []), reload: () => load([]) }
  }, [])
  useEffect(() => {
    // Typing in a filter asks once, when it rests.
    const timer = setTimeout(() => { void paged.reload() }, paged.data.value === undefined ? 0 : 250)
    return () => clearTimeout(timer)
  }, inputs)
  return paged
}

export interface Filters<Name extends string> {
  get(name: Name): string
  set(name: Name, value: string): void
  clear(): void
  readonly isSet: boolean
  /** Changes with any of them. */
  readonly key: string
}

/** Filters that stand in the address, so that a filtered list can be linked to. */
export function useFilters<Name extends string>(names: readonly Name[]): Filters<Name> {
  const query = route.value.query
  const values = names.map(name => query[name] ?? '')
  return {
    get: name => query[name] ?? '',
    set: (name, value) => replaceQuery({ ...query, [name]: value }),
    clear: () => replaceQuery(Object.fromEntries(Object.entries(query).filter(([name]) => !names.includes(name as Name)))),
    isSet: values.some(value => value !== ''),
    key: JSON.stringify(values),
  }
}

/** The order of a list, in the address, too. */
export function useOrder<Field extends string>(fields: readonly Field[], initial: Field, ascending: boolean) {
  const { sort = '', order = '' } = route.value.query
  const by = fields.find(field => field === sort) ?? initial
  const asc = order === '' ? (by === initial ? ascending : false) : order === 'up'
  return {
    by, ascending: asc, key: `${by} ${asc}`,
    onSort: (field: string, up: boolean) => replaceQuery({ ...route.value.query, sort: field, order: up ? 'up' : 'down' }),
  }
}
