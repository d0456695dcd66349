// The rows of a list: a row for each result, and where a thread is unfolded, one for each of its messages in its place.

import type { EmailHead, Id } from '../api/jmap/types'

/** Why a message stands in a thread where it stands. */
export type Link = 'none' | 'reply' | 'subject' | 'missing'

export interface Row {
  /** undefined: not fetched yet. */
  id: Id | undefined
  /** Among the results of the query. */
  position: number
  /** Within an unfolded thread. */
  depth: number
  link: Link
  /** Of a folded thread: its other messages, the oldest first. */
  hidden: readonly Id[]
  /** Whether it belongs to an unfolded thread, and begins it. */
  isMember: boolean
  isFirst: boolean
}

export interface Unfolded {
  position: number
  members: readonly Member[]
}

export interface Member { id: Id, depth: number, link: Link }

/** No deeper than this is shown. */
const DEEPEST = 6

/** Messages of a thread as a tree, each below the nearest one it answers, the oldest first. */
export function tree(ids: readonly Id[], known: (id: Id) => Pick<EmailHead, 'threadParentIds' | 'threadMissingLink'> | undefined): Member[] {
  const here = new Set(ids), children = new Map<Id | null, Id[]>()
  const parentOf = (id: Id) => known(id)?.threadParentIds?.find(parent => here.has(parent) && parent !== id) ?? null
  for (const id of ids) {
    const parent = parentOf(id)
    children.set(parent, [...children.get(parent) ?? [], id])
  }
  const found: Member[] = [], seen = new Set<Id>()
  const walk = (id: Id, depth: number, link: Link) => {
    if (seen.has(id)) return
    seen.add(id)
    found.push({ id, depth: Math.min(depth, DEEPEST), link })
    for (const child of children.get(id) ?? []) walk(child, depth + 1, 'reply')
  }
  const [root] = children.get(null) ?? []
  for (const id of children.get(null) ?? []) walk(id, id === root ? 0 : 1, id === root ? 'none' : known(id)?.threadMissingLink ? 'missing' : 'subject')
  // Whatever hangs together in a ring, as forged headers may say.
  for (const id of ids) walk(id, 1, 'subject')
  return found
}

export class Rows {
  readonly length: number
  /** How many rows more than results stand before each unfolded thread, and behind the last. */
  private readonly before: number[] = []
  private readonly memberAt: Map<Id, number> | null

  constructor(
    private readonly count: number,
    private readonly idAt: (position: number) => Id | undefined,
    private readonly positionOf: (id: Id) => number,
    private readonly hiddenOf: (id: Id) => readonly Id[],
    private readonly unfolded: readonly Unfolded[],
  ) {
    let more = 0
    const members = new Map<Id, number>()
    for (const one of unfolded) {
      this.before.push(more)
      for (const [index, { id }] of one.members.entries()) members.set(id, one.position + more + index)
      more += one.members.length - 1
    }
    this.before.push(more)
    this.memberAt = unfolded.length > 0 ? members : null
    this.length = count + more
  }

  at(index: number): Row | undefined {
    if (index < 0 || index >= this.length) return undefined
    // The last unfolded thread that begins at or before the row.
    let low = 0, high = this.unfolded.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.unfolded[middle]?.position ?? 0) + (this.before[middle] ?? 0) <= index) low = middle + 1
      else high = middle
    }
    const thread = this.unfolded[low - 1]
    if (thread) {
      const within = index - thread.position - (this.before[low - 1] ?? 0), member = thread.members[within]
      if (member) return { ...member, position: thread.position, hidden: [], isMember: true, isFirst: within === 0 }
    }
    const position = index - (this.before[low] ?? 0), id = this.idAt(position)
    return { id, position, depth: 0, link: 'none', hidden: id === undefined ? [] : this.hiddenOf(id), isMember: false, isFirst: false }
  }

  /** -1 where it is not. */
  indexOf(id: Id): number {
    const member = this.memberAt?.get(id)
    if (member !== undefined) return member
    const position = this.positionOf(id)
    return position < 0 ? -1 : this.indexAt(position)
  }

  /** The row at which a result begins. */
  indexAt(position: number): number {
    let index = 0
    while (index < this.unfolded.length && (this.unfolded[index]?.position ?? 0) < position) index += 1
    return position + (this.before[index] ?? 0)
  }

  get positions(): number {
    return this.count
  }
}
