// The results of a query, of which only parts are known: a hundred thousand messages of which some hundreds were looked at.
//
// An id may be old: it is shown until the server has said what is there now.

import type { Id, QueryChangesResponse } from '../api/jmap/types'

export class SparseList {
  private ids: (Id | undefined)[] = []
  /** 1 where the id is as the server has it. */
  private fresh: Uint8Array = new Uint8Array(0)
  /** Taken out here before the server said so. */
  private dropped = new Set<Id>()
  /** By id, made when it is asked for. */
  private places: Map<Id, number> | null = null

  get length(): number {
    return this.ids.length
  }

  at(position: number): Id | undefined {
    return this.ids[position]
  }

  indexOf(id: Id): number {
    if (!this.places) {
      this.places = new Map()
      for (let position = 0; position < this.ids.length; position += 1) {
        const one = this.ids[position]
        if (one !== undefined) this.places.set(one, position)
      }
    }
    return this.places.get(id) ?? -1
  }

  /** The ids that are known from `from` until before `to`. */
  known(from = 0, to = this.ids.length): Id[] {
    return this.ids.slice(Math.max(0, from), to).filter((one): one is Id => one !== undefined)
  }

  /** The id that is known farthest down. */
  last(): Id | undefined {
    return this.ids.findLast(one => one !== undefined)
  }

  /** The part of a stretch that has to be fetched: from its first place that is not known to its last; null for none. */
  missing(from: number, to: number): readonly [number, number] | null {
    let first = Math.max(0, from), last = Math.min(to, this.ids.length)
    while (first < last && this.fresh[first] === 1) first += 1
    while (last > first && this.fresh[last - 1] === 1) last -= 1
    return first < last ? [first, last] : null
  }

  /** Puts in what the server answered. */
  fill(position: number, ids: readonly Id[], total: number): void {
    this.resize(total)
    for (const [index, id] of ids.entries()) {
      const place = position + index
      if (place >= total) break
      // The same message elsewhere is old news.
      const before = this.indexOf(id)
      if (before >= 0 && before !== place) {
        this.ids[before] = undefined
        this.fresh[before] = 0
      }
      const there = this.ids[place]
      if (there !== undefined && there !== id) this.places?.delete(there)
      this.ids[place] = id
      this.fresh[place] = 1
      this.places?.set(id, place)
    }
  }

  /** Everything may be otherwise by now. */
  age(): void {
    this.fresh.fill(0)
    this.dropped.clear()
  }

  /** Takes ids out; those that were in it, and where each was when the ones before it here were out already. */
  drop(ids: readonly Id[]): [Id, number][] {
    const gone = ids.filter(id => this.indexOf(id) >= 0)
    if (gone.length === 0) return []
    const places = gone.map(id => this.indexOf(id)), isSure = gone.every(id => this.isFresh(id))
    for (const id of gone) this.dropped.add(id)
    this.takeOut(new Set(gone))
    if (!isSure) this.doubt()
    return gone.map((id, index) => [id, (places[index] ?? 0) - places.slice(0, index).filter(place => place < (places[index] ?? 0)).length])
  }

  /** What was taken out is in again, after all. */
  putBack(id: Id, place: number): void {
    this.dropped.delete(id)
    if (this.indexOf(id) >= 0) return
    this.ids.splice(place, 0, id)
    this.fresh = Uint8Array.from([...this.fresh.subarray(0, place), 0, ...this.fresh.subarray(place)])
    this.places = null
  }

  /**
   * Follows changes (RFC 8620 §5.6). Where something vanished from a part that is not known, what lies behind the
   * beginning of that may have moved and becomes old.
   */
  apply({ removed, added, total }: Pick<QueryChangesResponse, 'removed' | 'added' | 'total'>): void {
    const gone = new Set<Id>()
    let blind = false
    for (const id of removed) {
      if (this.indexOf(id) >= 0) {
        gone.add(id)
        blind ||= !this.isFresh(id)
      } else if (!this.dropped.delete(id)) blind = true
    }
    this.takeOut(gone)
    if (blind) this.doubt()
    const sorted = [...added].sort((one, other) => one.index - other.index)
    if (sorted.length > 0) {
      const ids: (Id | undefined)[] = [], fresh: number[] = []
      let from = 0
      for (const { id, index } of sorted) {
        while (ids.length < index && from < this.ids.length) {
          ids.push(this.ids[from])
          fresh.push(this.fresh[from] ?? 0)
          from += 1
        }
        if (ids.length < index) break
        this.dropped.delete(id)
        ids.push(id)
        fresh.push(1)
      }
      for (; from < this.ids.length; from += 1) {
        ids.push(this.ids[from])
        fresh.push(this.fresh[from] ?? 0)
      }
      this.ids = ids
      this.fresh = Uint8Array.from(fresh)
      this.places = null
    }
    if (total !== undefined) this.resize(total)
  }

  private isFresh(id: Id): boolean {
    return this.fresh[this.indexOf(id)] === 1
  }

  /** Nothing is certain from the first place on that is not. */
  private doubt(): void {
    const first = this.fresh.indexOf(0)
    if (first >= 0) this.fresh.fill(0, first)
  }

  private takeOut(gone: ReadonlySet<Id>): void {
    if (gone.size === 0) return
    const ids: (Id | undefined)[] = [], fresh: number[] = []
    for (const [index, id] of this.ids.entries()) {
      if (id !== undefined && gone.has(id)) continue
      ids.push(id)
      fresh.push(this.fresh[index] ?? 0)
    }
    this.ids = ids
    this.fresh = Uint8Array.from(fresh)
    this.places = null
  }

  private resize(total: number): void {
    if (total === this.ids.length) return
    const fresh = new Uint8Array(total)
    fresh.set(this.fresh.subarray(0, Math.min(total, this.fresh.length)))
    this.fresh = fresh
    if (total < this.ids.length) this.ids.length = total
    else while (this.ids.length < total) this.ids.push(undefined)
    this.places = null
  }
}
