// The list that is shown: a query of which windows are fetched as they come into view, kept as the server has it.

import { signal, type Signal } from '@preact/signals'
import { call, reference } from '../api/jmap/client'
import { HEAD, type Id, type ListQuery, type QueryResponse } from '../api/jmap/types'
import { ignoreProblem, isNetwork, isOffline, keep, keepThreads, need, noteEmailState, email } from './model'
import * as store from './offline'
import { SparseList } from './sparse'

/** Rows that are fetched at once: the first time what a window shows, then more. */
const FIRST = 40
const WINDOW = 100

export class Listing {
  readonly list = new SparseList()
  /** Counts changes of the list. */
  readonly version = signal(0)
  readonly loading = signal(true)
  readonly problem = signal<unknown>(undefined)
  /** Whether what is shown is of an earlier visit. */
  readonly isKept = signal(false)
  /** Texts in which found words are marked, by message. */
  readonly snippets = new Map<Id, Signal<{ subject: string | null, preview: string | null } | undefined>>()
  /** Threads that are folded or unfolded, by people or at first sight. */
  readonly folds = new Map<Id, boolean>()
  private state: string | null = null
  private pending: Promise<void> | null = null
  /** The stretch that views look at. */
  private view: readonly [number, number] = [0, FIRST]
  private closed = false

  constructor(readonly query: ListQuery, readonly key: string, private readonly isSearch: boolean, private readonly isOpen: (id: Id) => boolean) {}

  /** Begins. */
  open(): void {
    if (!this.isSearch) void store.list(this.key).then(kept => {
      if (!kept || this.version.peek() > 0) return
      keep(kept.heads)
      keepThreads(kept.threads)
      this.list.fill(0, kept.ids, kept.total)
      this.list.age()
      this.isKept.value = true
      this.version.value += 1
    })
    void this.ensure(0, FIRST)
  }

  close(): void {
    this.closed = true
  }

  snippet(id: Id): Signal<{ subject: string | null, preview: string | null } | undefined> {
    let known = this.snippets.get(id)
    if (!known) this.snippets.set(id, known = signal(undefined))
    return known
  }

  /** Ids that are looked at. */
  shown(): Id[] {
    return this.list.known(this.view[0], this.view[1])
  }

  /** Has a stretch fetched, where it is not known. */
  async ensure(from: number, to: number): Promise<void> {
    this.view = [from, to]
    while (!this.closed) {
      if (this.pending) {
        await this.pending
        // Meanwhile somebody may look elsewhere.
        if (this.view[0] !== from || this.view[1] !== to) return
        continue
      }
      const missing = this.state === null ? [0, FIRST] as const : this.list.missing(from, to)
      if (!missing) return
      this.pending = this.fetch(missing[0], this.state === null ? Math.max(FIRST, to) : Math.max(missing[1], Math.min(missing[0] + WINDOW, this.list.length)))
      try {
        await this.pending
      } finally {
        this.pending = null
      }
      if (this.problem.peek() !== undefined) return
    }
  }

  private async fetch(from: number, to: number): Promise<void> {
    this.loading.value = true
    const { filter, collapseThreads } = this.query, isFirst = this.state === null
    const found = call('Email/query', { ...this.query, position: from, limit: to - from, calculateTotal: true })
    const gotten = call('Email/get', { '#ids': reference(found, '/ids'), properties: HEAD })
    const threads = collapseThreads ? call('Thread/get', { '#ids': reference(gotten, '/list/*/threadId') }) : null
    gotten.catch(() => undefined)
    threads?.catch(() => undefined)
    try {
      const answer = await found
      const { list, state } = await gotten
      if (this.closed) return
      noteEmailState(state)
      keep(list)
      const conversations = (await threads)?.list ?? []
      keepThreads(conversations)
      this.take(answer)
      // Results are shown before what was found in them is marked.
      if (this.isSearch && answer.ids.length > 0) call('SearchSnippet/get', { filter, emailIds: answer.ids }).then(({ list: marked }) => {
        for (const { emailId, subject, preview } of marked) this.snippet(emailId).value = { subject, preview }
      }).catch(ignoreProblem)
      this.problem.value = undefined
      this.isKept.value = false
      isOffline.value = false
      if (isFirst) performance.mark('webmail:list')
      const members = conversations.flatMap(({ emailIds }) => emailIds.length > 1 ? emailIds : [])
      await need(members)
      if (members.length > 0) this.version.value += 1
      if (isFirst && !this.isSearch) store.keepList(this.key, {
        ids: this.list.known(0, FIRST), total: this.list.length, threads: conversations,
        heads: [...new Set([...this.list.known(0, FIRST), ...members])].map(id => email(id).peek()).filter(one => one !== undefined),
      })
    } catch (error) {
      if (this.closed) return
      this.problem.value = error
      if (isNetwork(error)) isOffline.value = true
      ignoreProblem(error)
    } finally {
      this.loading.value = false
    }
  }

  private take({ queryState, position, ids, total }: QueryResponse): void {
    // Something changed since: what was fetched earlier may stand elsewhere by now.
    if (this.state !== null && this.state !== queryState) this.list.age()
    this.state = queryState
    this.list.fill(position, ids, total ?? Math.max(this.list.length, position + ids.length))
    this.version.value += 1
  }

  /** Takes messages out before the server says so. Returns what puts back those that it did not take out. */
  drop(ids: readonly Id[]): (failed: ReadonlySet<Id>) => void {
    const gone = this.list.drop(ids)
    if (gone.length > 0) this.version.value += 1
    return failed => {
      for (const [id, place] of [...gone].reverse()) if (failed.has(id)) this.list.putBack(id, place)
      this.version.value += 1
      if (gone.length !== failed.size) void this.reload()
    }
  }

  /** Asks what has changed. */
  async follow(): Promise<void> {
    await this.pending
    if (this.closed) return
    if (this.state !== null) {
      try {
        const last = this.list.last()
        const changes = await call('Email/queryChanges', { ...this.query, sinceQueryState: this.state, calculateTotal: true, ...(last === undefined ? {} : { upToId: last }) })
        if (this.closed) return
        // A message that is being read stays in a list of what is unread until one goes on.
        const added = new Set(changes.added.map(({ id }) => id))
        if (changes.removed.some(id => !added.has(id) && this.isOpen(id) && email(id).peek() !== undefined && this.list.indexOf(id) >= 0)) {
          this.isBehind = true
          return
        }
        this.isBehind = false
        if (changes.removed.length > 0 || changes.added.length > 0) {
          await need(changes.added.map(({ id }) => id))
          const conversations = this.query.collapseThreads ? [...new Set(changes.added.map(({ id }) => email(id).peek()?.threadId).filter(id => id !== undefined))] : []
          if (conversations.length > 0) {
            const { list } = await call('Thread/get', { ids: conversations })
            keepThreads(list)
            await need(list.flatMap(({ emailIds }) => emailIds))
          }
        }
        this.list.apply(changes)
        this.state = changes.newQueryState
        this.version.value += 1
      } catch (error) {
        if (isNetwork(error)) throw error
        ignoreProblem(error)
        this.anew()
      }
    }
    this.problem.value = undefined
    await this.ensure(this.view[0], this.view[1])
  }

  /** Whether changes wait until another message is opened. */
  isBehind = false

  /** Everything that is looked at is fetched again; it is shown until then. */
  anew(): void {
    this.list.age()
    // Of an empty list nothing is looked at: how much there is now is to be asked.
    if (this.list.length === 0) this.state = null
    this.problem.value = undefined
  }

  async reload(): Promise<void> {
    this.anew()
    await this.ensure(this.view[0], this.view[1])
  }
}

export const listing = signal<Listing | null>(null)
