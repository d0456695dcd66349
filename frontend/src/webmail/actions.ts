// What is done to messages: shown at once, told to the server, and offered to be taken back.

import { call, jmapSession, limitsOf, orThrow, setError } from '../api/jmap/client'
import type { Email, EmailHead, Filter, Id, ListQuery, Mailbox, Patch, Role, SetError } from '../api/jmap/types'
import { isLive } from '../api/wire'
import { confirm, toast, type Toast } from '../kit'
import { count, plural } from '../lib/format'
import { ApiError, explain } from '../lib/problem'
import { listing } from './listing'
import { byRole, chunks, email, fetchKeywords, forget, ignoreProblem, isLabel, isOffline, keep, nameOf, noteEmailSet, sync } from './model'

/** Messages, or all that a query finds. */
export type Target = readonly Id[] | { query: ListQuery, total: number }

/** What is known of a message when it is changed, and needed to change it back. */
type Known = Pick<EmailHead, 'id' | 'mailboxIds' | 'keywords'> & Partial<Pick<EmailHead, 'muted' | 'collapsed'>>

interface Change {
  /** Empty: this one stays as it is. */
  patch: (of: Known) => Patch
  /** What is being done: `Moving`. */
  doing: string
  /** What was done to how many: `3 messages were moved to Archive`. */
  done: (many: string, number: number) => string
  /** Whether it stays a secret when all went well, as reading does. */
  quiet?: boolean
  /** Behind it, with what was really changed. */
  after?: (changed: readonly Known[]) => void
}

const messages = (number: number) => number === 1 ? 'The message' : plural(number, 'message')
const were = (number: number) => number === 1 ? 'was' : 'were'

/** Changes messages. Resolves when the server has done so, or has not: people are told of that. */
export async function change(target: Target, made: Change): Promise<boolean> {
  const note = isList(target) ? null : progress(`${made.doing} ${plural(target.total, 'message')}…`)
  let all: readonly Known[]
  try {
    all = isList(target) ? await knownOf(target) : await matching(target.query, note)
  } catch (error) {
    fail(error, note?.toast)
    return false
  }
  const wanted = all.map(known => ({ known, patch: made.patch(known) })).filter(({ patch }) => Object.keys(patch).length > 0)
  if (wanted.length === 0) {
    note?.toast.close()
    return true
  }
  const back: (readonly [Known, Patch])[] = wanted.map(({ known, patch }) => [known, reverse(known, patch)])
  const failed = await apply(wanted, note, made.doing)
  const changed = back.filter(([{ id }]) => !failed.has(id))
  const [first] = failed.values()
  if (first) fail(first, note?.toast, changed.length > 0 ? `${count(failed.size)} of ${count(wanted.length)} messages could not be changed: ` : '')
  if (changed.length > 0) {
    made.after?.(changed.map(([known]) => known))
    if (!made.quiet && !first) {
      const text = made.done(messages(changed.length), changed.length)
      const options = { action: { text: 'Undo', run: () => undo(changed) } }
      if (note) note.toast.change(text, 'good', options)
      else {
        lastUndo?.close()
        lastUndo = toast(text, 'good', options)
      }
    } else if (!first) note?.toast.close()
  }
  return failed.size === 0
}

let lastUndo: Toast | null = null

async function undo(changed: readonly (readonly [Known, Patch])[]): Promise<void> {
  const note = changed.length > 500 ? progress(`Undoing ${plural(changed.length, 'change')}…`) : null
  const failed = await apply(changed.map(([known, patch]) => ({ known: { ...known }, patch })), note, 'Undoing')
  const [first] = failed.values()
  if (first) fail(first, note?.toast)
  else if (note) note.toast.change('Undone')
  else toast('Undone')
  await listing.peek()?.reload()
}

interface Progress { toast: Toast, isStopped: boolean }

function progress(text: string): Progress {
  const made: Progress = { toast: toast(text, 'good', stop()), isStopped: false }
  return made

  function stop() {
    return { seconds: Infinity, action: { text: 'Stop', run: () => { made.isStopped = true } } }
  }
}

function fail(error: unknown, note?: Toast, before = ''): void {
  const text = error instanceof ApiError && error.code === 'network' ? `${before}You are offline: nothing was changed.` : `${before}${explain(error)}`
  if (error instanceof ApiError && error.code === 'network') isOffline.value = true
  if (note) note.change(text, 'bad')
  else toast(text, 'bad')
  ignoreProblem(error)
}

/** Does it; those that could not be changed are shown as they were. What failed, by id. */
async function apply(wanted: readonly { known: Known, patch: Patch }[], note: Progress | null, doing: string): Promise<Map<Id, unknown>> {
  const failed = new Map<Id, unknown>(), before = new Map<Id, EmailHead>()
  const leaving: Id[] = []
  for (const { known, patch } of wanted) {
    const head = email(known.id).peek()
    if (!head) continue
    before.set(known.id, head)
    const after = patched(head, patch)
    keep([after])
    if (leavesList(head, after)) leaving.push(known.id)
  }
  const putBack = listing.peek()?.drop(leaving)
  const most = await jmapSession().then(one => limitsOf(one).maxObjectsInSet, () => 500)
  let done = 0
  for (const part of chunks(wanted, most)) {
    if (note?.isStopped) {
      for (const { known } of part) failed.set(known.id, new ApiError('stopped', 'stopped'))
      continue
    }
    try {
      const { oldState, newState, updated, notUpdated } = await call('Email/set', { update: Object.fromEntries(part.map(({ known, patch }) => [known.id, patch])) })
      noteEmailSet(oldState, newState)
      // What else the server changed, as judgements that mailboxes stand for.
      keep(Object.entries(updated ?? {}).filter(([, also]) => also !== null).map(([id, also]) => ({ id, ...also })))
      for (const [id, error] of Object.entries(notUpdated ?? {} as Record<Id, SetError>)) failed.set(id, setError(error))
    } catch (error) {
      for (const { known } of part) failed.set(known.id, error)
      ignoreProblem(error)
    }
    done += part.length
    if (note && !note.isStopped) note.toast.change(`${doing} ${count(done)} of ${plural(wanted.length, 'message')}…`, 'good', {
      seconds: Infinity, action: { text: 'Stop', run: () => { note.isStopped = true } },
    })
  }
  if (failed.size > 0) {
    for (const id of failed.keys()) {
      const head = before.get(id)
      if (head) keep([head])
    }
    if (leaving.some(id => failed.has(id))) putBack?.(new Set(failed.keys()))
  }
  // A list of many whose messages changed unseen; or nobody tells of changes at the moment.
  if (note || !isLive.peek()) void sync()
  return failed
}

function isList(target: Target): target is readonly Id[] {
  return Array.isArray(target)
}

async function knownOf(ids: readonly Id[]): Promise<Known[]> {
  const missing = ids.filter(id => email(id).peek() === undefined)
  return [...ids.map(id => email(id).peek()).filter(one => one !== undefined), ...await fetchKeywords(missing)]
}

/** All messages that a query finds, with what is needed to change them back. */
async function matching(query: ListQuery, note: Progress | null): Promise<Known[]> {
  const limits = limitsOf(await jmapSession()), found: Id[] = []
  for (;;) {
    const { ids, total = 0 } = await call('Email/query', { ...query, collapseThreads: false, position: found.length, limit: 5000, calculateTotal: true })
    found.push(...ids)
    if (ids.length === 0 || found.length >= total || note?.isStopped) break
  }
  const known: Known[] = []
  for (const part of chunks([...new Set(found)], limits.maxObjectsInGet)) {
    if (note?.isStopped) break
    known.push(...await fetchKeywords(part))
  }
  return known
}

/** A message as a patch makes it (RFC 8620 §5.3). */
export function patched(head: EmailHead, patch: Patch): EmailHead {
  const after: EmailHead = { ...head, keywords: { ...head.keywords } }
  for (const [path, value] of Object.entries(patch)) {
    const keyword = /^keywords\/(.*)$/.exec(path)?.[1]
    if (keyword === undefined) Object.assign(after, { [path]: value })
    else if (value === null) delete after.keywords[unescaped(keyword)]
    else after.keywords[unescaped(keyword)] = true
  }
  return after
}

/** The patch that leads back. */
export function reverse(known: Known, patch: Patch): Patch {
  const back: Patch = {}
  for (const path of Object.keys(patch)) {
    const keyword = /^keywords\/(.*)$/.exec(path)?.[1]
    back[path] = keyword === undefined ? known[path as keyof Known] : known.keywords[unescaped(keyword)] ?? null
  }
  return back
}

/** A keyword as a step of a path (RFC 6901 §3). */
export function keywordPath(keyword: string): string {
  return `keywords/${keyword.replace(/~/g, '~0').replace(/\//g, '~1')}`
}

function unescaped(step: string): string {
  return step.replace(/~1/g, '/').replace(/~0/g, '~')
}

/** Whether a list of one mailbox, or of all but some, no longer has a message. */
function leavesList(before: EmailHead, after: EmailHead): boolean {
  const filter = listing.peek()?.query.filter
  return filter ? isIn(filter, before) && !isIn(filter, after) : false
}

/** Whether a message is in the mailboxes that a filter names, whatever else it asks. */
export function isIn(filter: Filter, { mailboxIds }: Pick<Email, 'mailboxIds'>): boolean {
  if ('operator' in filter) {
    if (filter.operator === 'AND') return filter.conditions.every(one => isIn(one, { mailboxIds }))
    if (filter.operator === 'OR' && filter.conditions.every(one => !('operator' in one) && one.inMailbox !== undefined)) return filter.conditions.some(one => isIn(one, { mailboxIds }))
    return true
  }
  if (filter.inMailbox !== undefined) return mailboxIds[filter.inMailbox] === true
  if (filter.inMailboxOtherThan !== undefined) return Object.keys(mailboxIds).some(id => !filter.inMailboxOtherThan?.includes(id))
  return true
}

// Moving.

/** Asks whether later messages like these should come there by themselves. */
async function suggest(ids: readonly Id[], from: Id, to: Id): Promise<void> {
  const { suggestRuleset } = await import('./rulesets')
  await suggestRuleset(ids, from, to)
}

/** Of all that a query finds, copies of what one sent and drafts stay where they are, unless one looks there. */
export function ownOf(target: Target): readonly Id[] {
  if (isList(target)) return []
  const filter = JSON.stringify(target.query.filter)
  return ['sent', 'drafts'].map(role => byRole(role as Role)?.id).filter(id => id !== undefined && !filter.includes(`"inMailbox":"${id}"`)) as Id[]
}

export function move(target: Target, to: Mailbox, also: Patch = {}, staying: readonly Id[] = []): Promise<boolean> {
  return change(target, {
    patch: ({ mailboxIds }) => staying.some(id => mailboxIds[id]) || mailboxIds[to.id] && Object.keys(mailboxIds).length === 1 ? {} : { mailboxIds: { [to.id]: true }, ...also },
    doing: 'Moving',
    done: (many, number) => `${many} ${were(number)} moved to ${nameOf(to)}`,
    after: changed => {
      const from = new Set(changed.flatMap(({ mailboxIds }) => Object.keys(mailboxIds)))
      const [first] = from
      if (from.size === 1 && first !== undefined && isList(target)) void suggest(changed.map(({ id }) => id), first, to.id)
    },
  })
}

function roleBox(role: Role, name: string): Mailbox | null {
  const found = byRole(role)
  if (!found) toast(`No mailbox has the role ${name}. Give it to one in the menu of a mailbox.`, 'warn')
  return found ?? null
}

export async function archive(target: Target): Promise<void> {
  const to = roleBox('archive', 'Archive')
  if (to) await move(target, to, {}, ownOf(target))
}

/** To the trash; what lies there already is removed for good. */
export async function trash(target: Target): Promise<void> {
  const to = roleBox('trash', 'Trash')
  if (!to) return
  const inTrash = (id: Id) => email(id).peek()?.mailboxIds[to.id] === true
  if (isList(target) ? target.length > 0 && target.every(inTrash) : JSON.stringify(target.query.filter).includes(`"inMailbox":"${to.id}"`)) await remove(target)
  else await move(target, to)
}

export async function junk(target: Target): Promise<void> {
  const to = roleBox('junk', 'Junk')
  if (to) await move(target, to, { 'keywords/$seen': true, 'keywords/$junk': true, 'keywords/$notjunk': null }, ownOf(target))
}

/** Not junk: what lies in Junk or Rejects goes to the Inbox. */
export async function notJunk(target: Target, rejects: Id | null): Promise<void> {
  const inbox = byRole('inbox'), bad = [byRole('junk')?.id, rejects ?? undefined]
  await change(target, {
    patch: ({ mailboxIds, keywords }) => {
      const judged = keywords['$notjunk'] && !keywords['$junk'] ? {} : { 'keywords/$notjunk': true, 'keywords/$junk': null }
      return inbox && bad.some(id => id !== undefined && mailboxIds[id]) ? { ...judged, mailboxIds: { [inbox.id]: true } } : judged
    },
    doing: 'Marking',
    done: (many, number) => `${many} ${were(number)} marked as not junk`,
  })
}

/** Removes for good, once people have said so. */
export async function remove(target: Target): Promise<void> {
  const number = isList(target) ? target.length : target.total
  const yes = await confirm({
    title: number === 1 ? 'Delete this message for good?' : `Delete ${plural(number, 'message')} for good?`,
    consequences: ['They are not put into the trash. Nobody can bring them back.'], action: 'Delete for good',
    ...(number > 100 ? { type: 'delete' } : {}),
  })
  if (!yes) return
  const note = isList(target) ? null : progress(`Deleting ${plural(number, 'message')}…`)
  try {
    const ids = isList(target) ? target : (await matching(target.query, note)).map(({ id }) => id)
    const most = limitsOf(await jmapSession()).maxObjectsInSet
    let done = 0
    for (const part of chunks(ids, most)) {
      if (note?.isStopped) break
      orThrow(await call('Email/set', { destroy: part }))
      listing.peek()?.drop(part)
      forget(part)
      done += part.length
      note?.toast.change(`Deleting ${count(done)} of ${plural(ids.length, 'message')}…`, 'good', { seconds: Infinity, action: { text: 'Stop', run: () => { note.isStopped = true } } })
    }
    const text = `${messages(done)} ${were(done)} deleted`
    if (note) note.toast.change(text)
    else toast(text)
  } catch (error) {
    fail(error, note?.toast)
  }
  void sync()
}

// Marking.

function keyword(name: string, on: boolean, done: (many: string, number: number) => string, quiet = false): Change {
  return {
    patch: ({ keywords }) => (keywords[name] === true) === on ? {} : { [keywordPath(name)]: on || null },
    doing: 'Marking', done, quiet,
  }
}

export const markRead = (target: Target, quiet = false) => change(target, keyword('$seen', true, (many, number) => `${many} ${were(number)} marked as read`, quiet))

/** Unread again, and without judgement. */
export const markUnread = (target: Target) => change(target, {
  patch: ({ keywords }) => Object.fromEntries(['$seen', '$junk', '$notjunk'].filter(name => keywords[name]).map(name => [`keywords/${name}`, null])),
  doing: 'Marking',
  done: (many, number) => `${many} ${were(number)} marked as unread`,
})

export const flag = (target: Target, on: boolean) => change(target,
  keyword('$flagged', on, (many, number) => `${many} ${were(number)} ${on ? 'flagged' : 'unflagged'}`, isList(target) && target.length === 1))

export const label = (target: Target, name: string, on: boolean) => change(target,
  keyword(name.toLowerCase(), on, (many, number) => on ? `${many} ${number === 1 ? 'has' : 'have'} the label ${name}` : `${many} no longer ${number === 1 ? 'has' : 'have'} the label ${name}`))

/** Read long enough to say something about what one wants. */
export const judgeNotJunk = (id: Id) => change([id], {
  patch: ({ keywords }) => keywords['$junk'] || keywords['$notjunk'] ? {} : { 'keywords/$notjunk': true }, doing: 'Marking', done: () => '', quiet: true,
})

export const mute = (target: Target, on: boolean) => change(target, {
  patch: known => known.muted === on ? {} : { muted: on }, doing: on ? 'Muting' : 'Unmuting',
  done: () => on ? 'Muted: later answers come as read' : 'No longer muted',
})

export const collapse = (ids: readonly Id[], on: boolean) => change(ids, {
  patch: known => known.collapsed === on ? {} : { collapsed: on }, doing: 'Folding', done: () => '', quiet: true,
})

/** What a label may be called: an atom of IMAP, as keywords are (RFC 8621 §4.1.1). */
export function labelProblem(name: string): string | null {
  if (name === '' || name.length > 100) return 'A label has 1 to 100 letters.'
  if (!/^[\x21-\x7e]+$/.test(name) || /[(){\]%*"\\]/.test(name)) return 'A label has no spaces, no letters beyond ASCII and none of ( ) { ] % * " \\.'
  return isLabel(name.toLowerCase()) ? null : 'That name means something to programs already.'
}
