// A message that is being written: what it is so far, how it is saved, sent, taken back.
//
// Every save makes a new message and removes the one before in one call, so that a crash leaves one of them. A draft that
// is no longer there when it should be removed was changed, sent or removed elsewhere: then ours is taken back and the
// writer decides.

import { batch, computed, signal, type ReadonlySignal, type Signal } from '@preact/signals'
import { call, jmapSession, limitsOf, orThrow, setError, upload } from '../../api/jmap/client'
import { SUBMISSION, type Email, type EmailSubmission, type Id, type Mailbox, type Patch, type Role } from '../../api/jmap/types'
import { toast } from '../../kit'
import { size } from '../../lib/format'
import { ApiError, explain } from '../../lib/problem'
import { unsaved } from '../../lib/router'
import { byRole, email as head, identities, preferences } from '../model'
import { noteWriting } from '../place'
import { canonical, flaw, probablyMeant, unique, type Address } from './addresses'
import { identityOf, signatureOf, type Beginning } from './beginning'
import { DRAFT_PROPERTIES, fromEmail, included, isSameDraft, nextKey, NOTES, toEmail, windowOf, wireSize, type Attachment, type Draft, type DraftEmail } from './drafts'
import { forgetKept, keep } from './kept'
import { senderOf, withoutForwarded } from './reply'
import { holdFor, MOST_DAYS, spoken } from './schedule'
import { attachmentWord, exchangeSignature, htmlToText } from './text'

/** After a change, until it is saved; longer where attachments have to be copied along. */
const SAVE_MS = 5000
const HEAVY_OCTETS = 2 * 1024 * 1024
const HEAVY_SAVE_MS = 30_000
/** After a save that failed. */
const RETRY_MS = 20_000

export interface Upload { readonly sent: Signal<number>, readonly problem: Signal<string>, readonly abort: () => void }

/** What the account may send, of the capability for submissions (RFC 8621 §1.3.2). */
export interface Abilities { mostDelaySeconds: number, requireTLS: boolean }

export async function abilities(): Promise<Abilities> {
  const session = await jmapSession()
  const own = Object.values(session.accounts)[0]?.accountCapabilities[SUBMISSION] as { maxDelayedSend?: number, submissionExtensions?: Record<string, string[]> } | undefined
  return {
    mostDelaySeconds: Math.min(own?.maxDelayedSend ?? 0, MOST_DAYS * 86400),
    requireTLS: Object.keys(own?.submissionExtensions ?? {}).some(one => one.toUpperCase() === 'REQUIRETLS'),
  }
}

export type SaveState = 'new' | 'unsaved' | 'saving' | 'saved' | 'failed'

/** What speaks against sending: `stops` cannot be passed over. */
export interface Objection { readonly text: string, readonly stops: boolean, readonly action?: { readonly text: string, readonly run: () => void } }

export interface SendOptions { at: Date | null, archive: boolean }

export class Composition {
  readonly draft: Signal<Draft>
  readonly title: string
  readonly isList: boolean
  /** For the plain text, at the beginning. */
  readonly cursor: number
  readonly state = signal<SaveState>('new')
  /** Why the last save failed. */
  readonly problem = signal('')
  readonly conflict = signal(false)
  /** Why it was not sent. */
  readonly refused = signal('')
  readonly sending = signal(false)
  readonly uploads = new Map<string, Upload>()
  /** What no draft on the server has yet, by the keys of attachments. */
  private readonly files = new Map<string, File>()
  /** The choice of TLS is the writer's own. */
  readonly choseTLS = signal(false)
  /** The body as it stands in an editor, which writes it only when asked. */
  read: (() => string) | null = null
  /** Counts how often the body was replaced from outside of the editor. */
  readonly turn = signal(0)
  readonly isChanged: ReadonlySignal<boolean>

  private draftId: Id | null
  private messageId: string | null
  private readonly first: Draft
  private readonly openedId: Id | null
  private readonly saved: Signal<Draft>
  private readonly touched = signal(false)
  private timer: ReturnType<typeof setTimeout> | undefined
  private running: Promise<boolean> | null = null
  private over = false
  /** Known to the drafts it saves. */
  private readonly window = randomText()
  /** Message-ID of what was to be sent, when nothing is known of what came of it. */
  private tried: string | null = null

  constructor({ draft, draftId, messageId, cursor, isList, title }: Beginning) {
    this.draft = signal(draft)
    this.saved = signal(draft)
    this.first = draft
    this.draftId = draftId
    this.openedId = draftId
    this.messageId = messageId
    this.cursor = cursor
    this.isList = isList
    this.title = title
    if (draftId !== null) this.state.value = 'saved'
    this.choseTLS.value = draft.tls !== 'default'
    this.isChanged = computed(() => this.touched.value || !isSameDraft(this.draft.value, this.saved.value))
  }

  /** The draft as it is on the server; null before it is saved first. */
  get id(): Id | null {
    return this.draftId
  }

  /** Whether anything was written since it was opened. */
  get isWritten(): boolean {
    this.pull()
    return !isSameDraft(this.first, this.draft.peek()) || this.draftId !== this.openedId
  }

  change(given: Partial<Draft>): void {
    this.draft.value = { ...this.draft.peek(), ...given }
    this.later()
  }

  /** The editor's body is another one. */
  touch(): void {
    if (!this.touched.peek()) this.touched.value = true
    this.later()
  }

  /** Takes the body from the editor. */
  pull(): void {
    if (!this.touched.peek() || !this.read) return
    const body = this.read()
    batch(() => {
      this.touched.value = false
      if (body !== this.draft.peek().body) this.draft.value = { ...this.draft.peek(), body }
    })
  }

  /** Puts another body in, also in the editor. */
  replaceBody(given: Pick<Draft, 'body'> & Partial<Draft>): void {
    this.touched.value = false
    this.change(given)
    this.turn.value += 1
  }

  setFrom(from: Address): void {
    this.pull()
    const { from: before, body, mode } = this.draft.peek(), people = identities.peek()
    const identity = (email: string) => people.find(one => one.id === senderOf(email, people)?.id) ?? identityOf(email)
    const old = signatureOf(identity(before.email), mode), next = signatureOf(identity(from.email), mode)
    if (mode === 'text' || old === next) {
      const text = mode === 'text' ? exchangeSignature(body, old, next) : body
      if (text === body) this.change({ from })
      else this.replaceBody({ from, body: text })
      return
    }
    const block = /<div class="signature">[^]*?<\/div>(?=<div|<blockquote|$)/
    const made = next === '' ? '' : `<div class="signature">${next}</div>`
    this.replaceBody({ from, body: block.test(body) ? body.replace(block, () => made) : `${body}${made}` })
  }

  // Attachments.

  /** Adds files and sends them to the server. The keys of those that were taken. */
  attach(files: readonly File[], cid: (file: File) => string | null = () => null): string[] {
    const keys: string[] = []
    for (const file of files) {
      const key = nextKey(), added: Attachment = {
        key, name: file.name || 'file', type: file.type || 'application/octet-stream', size: file.size, blobId: null, cid: cid(file), isForwarded: false, isIncluded: true,
      }
      keys.push(key)
      this.files.set(key, file)
      this.change({ attachments: [...this.draft.peek().attachments, added] })
      this.upload(key)
    }
    return keys
  }

  /** Sends files that are attached, but were kept in this browser so far. */
  resume(files: ReadonlyMap<string, File>): void {
    for (const [key, file] of files) {
      this.files.set(key, file)
      this.upload(key)
    }
  }

  /** Sends a file to the server, also one that could not be sent before. */
  upload(key: string): void {
    const file = this.files.get(key)
    if (!file || this.over) return
    const control = new AbortController(), sent = signal(0), problem = signal('')
    this.uploads.set(key, { sent, problem, abort: () => control.abort() })
    // Its state is shown anew.
    this.draft.value = { ...this.draft.peek() }
    void upload(file, octets => { sent.value = octets }, control.signal).then(({ blobId }) => {
      this.uploads.delete(key)
      this.update(key, { blobId })
    }, (error: unknown) => {
      if (error instanceof ApiError && error.code === 'aborted') return
      problem.value = explain(error)
      // Shown beside its name: the list is drawn again.
      this.draft.value = { ...this.draft.peek() }
    })
  }

  update(key: string, given: Partial<Attachment>): void {
    this.change({ attachments: this.draft.peek().attachments.map(one => one.key === key ? { ...one, ...given } : one) })
  }

  detach(key: string): void {
    this.uploads.get(key)?.abort()
    this.uploads.delete(key)
    this.files.delete(key)
    this.change({ attachments: this.draft.peek().attachments.filter(one => one.key !== key) })
  }

  get isUploading(): boolean {
    return [...this.uploads.values()].some(one => one.problem.peek() === '')
  }

  /** Forwards the message as it is, in one file, in place of its text and files. Throws ApiError. */
  async wholeMessage(): Promise<void> {
    const { answer } = this.draft.peek()
    const { list: [email] } = await call('Email/get', { ids: [answer?.emailId ?? ''], properties: ['id', 'blobId', 'size', 'subject'] })
    if (!email?.blobId) throw new ApiError('notFound', 'the message is no longer there')
    this.pull()
    const { body, attachments } = this.draft.peek()
    const whole: Attachment = {
      key: nextKey(), name: `${(email.subject ?? '').replace(/[^\p{L}\p{N} ._-]+/gu, ' ').trim().slice(0, 80) || 'message'}.eml`, type: 'message/rfc822', size: email.size ?? 0,
      blobId: email.blobId, cid: null, isForwarded: false, isIncluded: true,
    }
    this.replaceBody({ body: withoutForwarded(body), attachments: [...attachments.filter(one => !one.isForwarded && one.cid === null), whole] })
  }

  // Saving.

  private later(): void {
    if (this.over) return
    unsaved.add(this)
    if (this.state.peek() !== 'saving') this.state.value = 'unsaved'
    const octets = included(this.draft.peek()).reduce((sum, one) => sum + one.size, 0)
    clearTimeout(this.timer)
    this.timer = setTimeout(() => { if (!this.conflict.peek()) void this.save() }, octets > HEAVY_OCTETS ? HEAVY_SAVE_MS : SAVE_MS)
  }

  /** Saves what was changed. Whether all is saved. */
  async save(): Promise<boolean> {
    clearTimeout(this.timer)
    while (this.running) await this.running
    if (this.over) return true
    this.pull()
    if (!this.isChanged.peek() && this.draftId !== null) return true
    this.running = this.saveNow()
    try {
      return await this.running
    } finally {
      this.running = null
    }
  }

  private async saveNow(): Promise<boolean> {
    const draft = this.draft.peek(), before = this.draftId
    this.state.value = 'saving'
    try {
      const mailbox = await mailboxOf('drafts', 'Drafts')
      const messageId = this.messageId ??= newMessageId(draft.from.email)
      const { wrapped } = draft.mode === 'html' ? await import('./html') : { wrapped: (html: string) => html }
      const create = toEmail(draft, { mailboxId: mailbox.id, final: false, messageId, window: this.window, wrap: wrapped }) as Partial<Email>
      const answer = await call('Email/set', { create: { draft: create }, ...(before === null ? {} : { destroy: [before] }) })
      const made = answer.created?.['draft']
      if (!made) throw setError(answer.notCreated?.['draft'] ?? { type: 'serverFail' })
      const failed = before === null ? undefined : answer.notDestroyed?.[before]
      if (failed) {
        await call('Email/set', { destroy: [made.id] })
        const own = await this.ownVersion()
        if (own !== null && own !== before) {
          // An answer was lost on its way: it was our own save.
          this.draftId = own
          return await this.saveNow()
        }
        this.conflict.value = true
        this.state.value = 'unsaved'
        return false
      }
      this.draftId = made.id
      if (!this.over) noteWriting(made.id)
      this.saved.value = draft
      this.problem.value = ''
      for (const one of included(draft)) if (one.blobId !== null) this.files.delete(one.key)
      if (this.files.size > 0) await this.keep()
      else forgetKept()
      // The connection is there again.
      for (const [key, { problem }] of this.uploads) if (problem.peek() !== '') this.upload(key)
      await this.refreshBlobs(made.id, draft)
      if (this.isChanged.peek()) this.later()
      else {
        this.state.value = 'saved'
        unsaved.delete(this)
      }
      this.state.value = this.isChanged.peek() ? 'unsaved' : 'saved'
      return !this.isChanged.peek()
    } catch (error) {
      this.problem.value = explain(error)
      this.state.value = 'failed'
      await this.keep()
      if (!this.over) this.timer = setTimeout(() => { void this.save() }, RETRY_MS)
      return false
    }
  }

  private async keep(): Promise<void> {
    const username = (await jmapSession().catch(() => null))?.username ?? ''
    if (!this.over) keep(username, this.draft.peek(), this.files)
  }

  /** The draft as this window saved it last, whatever was heard of that. */
  private async ownVersion(): Promise<Id | null> {
    const id = await this.theirs()
    if (id === null) return null
    const { list: [email] } = await call('Email/get', { ids: [id], properties: ['id', NOTES] })
    return windowOf(email?.[NOTES] as string | null | undefined) === this.window ? id : null
  }

  /** Attachments are parts of the newest version now; the version before is gone with its own. */
  private async refreshBlobs(id: Id, sent: Draft): Promise<void> {
    const there = included(sent).filter(one => one.blobId !== null)
    if (there.length === 0) return
    const { list: [email] } = await call('Email/get', { ids: [id], properties: ['id', 'attachments'] })
    const left = [...email?.attachments ?? []]
    const blobs = new Map<string, Id>()
    for (const one of there) {
      const at = left.findIndex(part => part.name === one.name && part.type.toLowerCase() === one.type.toLowerCase() && (one.cid === null || part.cid === one.cid))
      const [part] = at < 0 ? [] : left.splice(at, 1)
      if (part?.blobId) blobs.set(one.key, part.blobId)
    }
    const fresh = (draft: Draft): Draft => ({ ...draft, attachments: draft.attachments.map(one => blobs.has(one.key) ? { ...one, blobId: blobs.get(one.key) ?? null } : one) })
    batch(() => {
      this.draft.value = fresh(this.draft.peek())
      this.saved.value = fresh(this.saved.peek())
    })
  }

  /** After a conflict: this one is kept beside whatever came of the other. */
  keepMine(): Promise<boolean> {
    this.draftId = null
    this.conflict.value = false
    this.messageId = null
    return this.save()
  }

  /** After a conflict: the id of the draft as it was saved elsewhere; null when it is gone. */
  async theirs(): Promise<Id | null> {
    return this.messageId === null ? null : found(this.messageId, byRole('drafts')?.id)
  }

  // Ending.

  private end(): void {
    this.over = true
    noteWriting(null)
    forgetKept()
    clearTimeout(this.timer)
    unsaved.delete(this)
    for (const one of this.uploads.values()) one.abort()
  }

  /** Ends it as it was saved. */
  leave(): void {
    this.end()
  }

  /** Ends it and removes the draft. Throws ApiError. */
  async remove(): Promise<void> {
    clearTimeout(this.timer)
    await this.running
    if (this.draftId !== null) await call('Email/set', { destroy: [this.draftId] })
    this.end()
  }

  /** Ends it with the draft as it was when it was opened. Throws ApiError. */
  async discard(): Promise<void> {
    if (this.openedId === null || this.draftId === this.openedId) {
      if (this.openedId === null) await this.remove()
      else this.end()
      return
    }
    const now = new Map(this.draft.peek().attachments.map(one => [one.key, one.blobId]))
    this.draft.value = { ...this.first, attachments: this.first.attachments.map(one => ({ ...one, blobId: now.get(one.key) ?? one.blobId })) }
    this.touched.value = false
    if (!await this.save()) throw new ApiError('user:error', this.problem.peek())
    this.end()
  }

  // Sending.

  get recipients(): Address[] {
    const { to, cc, bcc } = this.draft.peek()
    return unique([...to, ...cc, ...bcc])
  }

  async objections(): Promise<Objection[]> {
    this.pull()
    const draft = this.draft.peek(), all = [...draft.to, ...draft.cc, ...draft.bcc, ...draft.replyTo], found: Objection[] = []
    const stop = (text: string) => found.push({ text, stops: true })
    if (flaw(draft.from.email)) stop(`From: ${flaw(draft.from.email) ?? ''}.`)
    if (this.recipients.length === 0) stop('There is no recipient.')
    for (const one of all) {
      const wrong = flaw(one.email)
      if (wrong) stop(`${one.email}: ${wrong.charAt(0).toLowerCase()}${wrong.slice(1)}.`)
    }
    const failed = draft.attachments.filter(one => one.blobId === null && this.uploads.get(one.key)?.problem.peek())
    for (const one of failed) stop(`${one.name} could not be sent to the server. Try again, or remove it.`)
    if (this.isUploading) stop('Attachments are still on their way to the server.')
    const session = await jmapSession(), most = maxMessage(session.accounts) ?? limitsOf(session).maxSizeUpload, octets = wireSize(draft)
    if (octets > most) stop(`The message is too large: some ${size(octets)}, and the server takes ${size(most)}.`)
    if (found.length > 0) return found
    const text = draft.mode === 'html' ? htmlToText(draft.body) : draft.body
    const word = included(draft).some(one => one.cid === null) ? null : attachmentWord(text, signatureOf(identityOf(draft.from.email), 'text'))
    if (word) found.push({ text: `It says “${word}”, but nothing is attached.`, stops: false })
    if (draft.subject.trim() === '') found.push({ text: 'It has no subject.', stops: false })
    for (const one of this.recipients) {
      const meant = probablyMeant(one.email)
      if (meant) found.push({ text: `${one.email} may be mistyped.`, stops: false, action: { text: `Use ${meant}`, run: () => this.correct(one.email, meant) } })
    }
    return found
  }

  correct(wrong: string, right: string): void {
    const draft = this.draft.peek(), put = (list: readonly Address[]) => list.map(one => one.email === wrong ? { ...one, email: right } : one)
    this.change({ to: put(draft.to), cc: put(draft.cc), bcc: put(draft.bcc) })
  }

  /** Sends it. `reopen` opens a draft again, once it was taken back. Whether it was sent; the reason why not is told. */
  async send({ at, archive }: SendOptions, reopen: (draftId: Id, draft: Draft) => void): Promise<boolean> {
    if (this.sending.peek()) return false
    this.sending.value = true
    this.refused.value = ''
    clearTimeout(this.timer)
    try {
      await this.running
      this.pull()
      const draft = this.draft.peek(), { mostDelaySeconds } = await abilities()
      const wait = at ? holdFor(at, new Date()) : mostDelaySeconds > 0 ? preferences.peek().undoSeconds : 0
      const drafts = await mailboxOf('drafts', 'Drafts'), sent = await mailboxOf('sent', 'Sent')
      const begun = Date.now()
      const { submission, emailId } = await this.earlier() ?? await this.submit(draft, drafts, sent, wait)
      const before = this.draftId
      this.end()
      const undone = await this.follow(draft, before, archive).catch((error: unknown) => {
        toast(`The message was sent. ${explain(error)}`, 'warn')
        return [] as Patches[]
      })
      const takeBack = async () => {
        const draftId = await cancel(submission, emailId, drafts, sent)
        if (draftId === null) return
        for (const update of undone) await call('Email/set', { update })
        reopen(draftId, draft)
      }
      if (at) toast(`It will be sent ${spoken(at, new Date())}`, 'good', { action: { text: 'Undo', run: takeBack }, seconds: 10 })
      else if (wait > 0) toast('Sent', 'good', { action: { text: 'Undo', run: takeBack }, seconds: Math.max(1, wait - (Date.now() - begun) / 1000 - 0.5) })
      else toast('Sent')
      return true
    } catch (error) {
      this.refused.value = explain(error)
      if (this.isChanged.peek()) this.later()
      return false
    } finally {
      this.sending.value = false
    }
  }

  private async submit(draft: Draft, drafts: Mailbox, sent: Mailbox, wait: number): Promise<{ submission: Id, emailId: Id }> {
    const people = identities.peek(), identity = senderOf(draft.from.email, people) ?? people[0]
    const { wrapped } = draft.mode === 'html' ? await import('./html') : { wrapped: (html: string) => html }
    const messageId = newMessageId(draft.from.email)
    const create = toEmail(draft, { mailboxId: drafts.id, final: true, messageId, window: '', wrap: wrapped }) as Partial<Email>
    this.tried = messageId
    const parameters: Record<string, string | null> = {
      ...(wait > 0 ? { HOLDFOR: String(wait) } : {}), ...(draft.tls === 'require' ? { REQUIRETLS: null } : {}),
    }
    const made = call('Email/set', { create: { message: create } })
    const submitted = call('EmailSubmission/set', {
      create: { submission: {
        identityId: identity?.id ?? '', emailId: '#message',
        envelope: {
          mailFrom: { email: draft.from.email, parameters: Object.keys(parameters).length > 0 ? parameters : null },
          rcptTo: this.recipients.map(one => ({ email: one.email, parameters: null })),
        },
      } satisfies Partial<EmailSubmission> },
      onSuccessUpdateEmail: { '#submission': { [`mailboxIds/${drafts.id}`]: null, [`mailboxIds/${sent.id}`]: true, 'keywords/$draft': null, 'keywords/$seen': true } },
    })
    submitted.catch(() => undefined)
    let message: { id: Id } | undefined
    try {
      const created = await made
      message = created.created?.['message']
      if (!message) throw setError(created.notCreated?.['message'] ?? { type: 'serverFail' })
      const submission = orThrow(await submitted).created?.['submission']
      if (!submission) throw new ApiError('serverFail', 'the server did not say that it was sent')
      return { submission: submission.id, emailId: message.id }
    } catch (error) {
      // No answer says nothing of what was done; see `earlier`. After any other the message is still a draft, beside the one before.
      if (!(error instanceof ApiError && ['network', 'server:error'].includes(error.code))) {
        this.tried = null
        if (message) await call('Email/set', { destroy: [message.id] }).catch(() => undefined)
      }
      throw error
    }
  }

  /** What became of an attempt whose answer never came: nobody is to get a message twice. Null when nothing was sent. */
  private async earlier(): Promise<{ submission: Id, emailId: Id } | null> {
    if (this.tried === null) return null
    const emailId = await found(this.tried)
    if (emailId === null) return null
    const { ids: [submission] } = await call('EmailSubmission/query', { filter: { emailIds: [emailId] }, limit: 1 })
    if (submission !== undefined) return { submission, emailId }
    await call('Email/set', { destroy: [emailId] })
    return null
  }

  /** What follows of sending: the draft is gone, the original answered, its thread put away. What would take it back. */
  private async follow(draft: Draft, draftId: Id | null, archive: boolean): Promise<Patches[]> {
    const undo: Patches[] = [], { answer } = draft
    const update: Patches = {}
    if (answer) {
      const keyword = `keywords/${answer.kind === 'forward' ? '$forwarded' : '$answered'}`
      update[answer.emailId] = { [keyword]: true }
      if (head(answer.emailId).peek()?.keywords[keyword.slice(9)] !== true) undo.push({ [answer.emailId]: { [keyword]: null } })
    }
    const calls: Promise<unknown>[] = []
    if (draftId !== null || answer) calls.push(call('Email/set', { ...(answer ? { update } : {}), ...(draftId === null ? {} : { destroy: [draftId] }) }))
    if (archive && answer) calls.push(archiveThread(answer.emailId).then(patches => { undo.push(patches) }))
    await Promise.all(calls)
    return undo
  }
}

type Patches = Record<Id, Patch>

/** The newest message with a Message-ID, in a mailbox or in any; null when there is none. */
async function found(messageId: string, mailboxId?: Id): Promise<Id | null> {
  const { ids: [id] } = await call('Email/query', {
    filter: { ...(mailboxId === undefined ? {} : { inMailbox: mailboxId }), header: ['Message-ID', messageId] }, sort: [{ property: 'receivedAt', isAscending: false }], limit: 1,
  })
  return id ?? null
}

/** Moves what stands with a message in its mailbox, and of its thread, to the archive. What would put it back. */
async function archiveThread(emailId: Id): Promise<Patches> {
  const { list: [one] } = await call('Email/get', { ids: [emailId], properties: ['id', 'threadId', 'mailboxIds'] })
  const [from] = Object.keys(one?.mailboxIds ?? {}), archive = await mailboxOf('archive', 'Archive')
  if (!one?.threadId || from === undefined || from === archive.id) return {}
  const { list: [thread] } = await call('Thread/get', { ids: [one.threadId] })
  const { list } = await call('Email/get', { ids: thread?.emailIds ?? [], properties: ['id', 'mailboxIds', 'keywords'] })
  const there = list.filter(two => two.mailboxIds?.[from])
  if (there.length === 0) return {}
  orThrow(await call('Email/set', { update: Object.fromEntries(there.map(({ id }) => [id, { mailboxIds: { [archive.id]: true }, 'keywords/$seen': true }])) }))
  return Object.fromEntries(there.map(({ id, keywords }) => [id, { mailboxIds: { [from]: true }, ...(keywords?.['$seen'] ? {} : { 'keywords/$seen': null }) }]))
}

/** Takes a message back. The id of its draft; null when it was too late. */
export async function cancel(submission: Id, emailId: Id, drafts: Mailbox, sent: Mailbox): Promise<Id | null> {
  try {
    orThrow(await call('EmailSubmission/set', {
      update: { [submission]: { undoStatus: 'canceled' } },
      onSuccessUpdateEmail: { [submission]: { [`mailboxIds/${sent.id}`]: null, [`mailboxIds/${drafts.id}`]: true, 'keywords/$draft': true } },
    }))
  } catch (error) {
    toast(error instanceof ApiError && error.code === 'cannotUnsend' ? 'It is too late: the message has left.' : explain(error), 'bad')
    return null
  }
  return emailId
}

/** The draft that a message became again, with what only this page knows. */
export async function reopened(draftId: Id, before: Draft): Promise<Beginning> {
  const { list: [email] } = await call('Email/get', { ids: [draftId], properties: DRAFT_PROPERTIES, fetchTextBodyValues: true, fetchHTMLBodyValues: true })
  if (!email) throw new ApiError('notFound', 'the message is no longer there')
  const { attachments } = fromEmail(email as DraftEmail, before.from)
  return { draft: { ...before, attachments }, draftId, messageId: email.messageId?.[0] ?? null, cursor: 0, isList: false, title: before.subject || 'Draft' }
}

export async function mailboxOf(role: Role, name: string): Promise<Mailbox> {
  const known = byRole(role)
  if (known) return known
  const made = orThrow(await call('Mailbox/set', { create: { made: { name, role } as Partial<Mailbox> } })).created?.['made']
  if (!made) throw new ApiError('serverFail', `there is no mailbox ${name}`)
  return { name, role, ...made } as Mailbox
}

function maxMessage(accounts: Record<Id, { accountCapabilities: Record<string, unknown> }>): number | null {
  const found = Object.values(accounts)[0]?.accountCapabilities['urn:moxpy:mail'] as { maxSizeMessage?: number } | undefined
  return found?.maxSizeMessage ?? null
}

/** RFC 5322 §3.6.4: unique by chance, with nothing of this machine in it. */
export function newMessageId(email: string): string {
  return `${randomText()}@${canonical(email).split('@').at(-1) || 'localhost'}`
}

function randomText(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map(one => one.toString(36).padStart(2, '0')).join('')
}
