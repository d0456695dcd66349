// Something fetched from the server, with its states; for one page or kept in a model.

import { useEffect, useMemo } from 'preact/hooks'
import { signal, type ReadonlySignal } from '@preact/signals'

export interface Resource<T> {
  /** The last value; it stays while a new one is fetched. */
  readonly data: ReadonlySignal<T | undefined>
  readonly error: ReadonlySignal<unknown>
  readonly loading: ReadonlySignal<boolean>
  /** Fetches (again). Resolves when it is there or has failed; only the last call counts. */
  reload(): Promise<void>
  /** Puts a known value in place without asking. */
  set(value: T): void
}

export function resource<T>(fetch: () => Promise<T>): Resource<T> {
  const data = signal<T | undefined>(undefined), error = signal<unknown>(undefined), loading = signal(false)
  let turn = 0
  return {
    data, error, loading,
    async reload() {
      const mine = ++turn
      loading.value = true
      try {
        const value = await fetch()
        if (mine !== turn) return
        data.value = value
        error.value = undefined
      } catch (problem) {
        if (mine === turn) error.value = problem
      } finally {
        if (mine === turn) loading.value = false
      }
    },
    set(value) {
      turn += 1
      data.value = value
      error.value = undefined
      loading.value = false
    },
  }
}

/** A resource of a component, fetched at once and whenever one of `inputs` changes. */
export function useResource<T>(fetch: () => Promise<T>, inputs: readonly unknown[] = []): Resource<T> {
  const made = useMemo(() => resource(fetch), inputs)
  useEffect(() => { void made.reload() }, [made])
  return made
}
