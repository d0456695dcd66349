// A draft, and the message it is saved and sent as (RFC 8621 §4.6).
//
// What a message has no place for (what it answers, the choice of TLS) stands in a header field of drafts only, so that
// any window goes on where another one stopped.

import type { Email, EmailBodyPart, EmailBodyValue, Id } from '../../api/jmap/types'
import type { Address } from './addresses'
import type { AnswerKind } from './reply'
import { htmlToText } from './text'

export type Mode = 'text' | 'html'
/** `require`: verified TLS along the path (RFC 8689). `insecure`: deliver even where TLS cannot be verified (RFC 8689 §5). */
export type TLSChoice = 'default' | 'require' | 'insecure'

export interface Attachment {
  /** Within this window. */
  readonly key: string
  readonly name: string
  readonly type: string
  /** In octets. */
  readonly size: number
  /** Where the server has it; null until it is there. */
  readonly blobId: Id | null
  /** Of an image in the body. */
  readonly cid: string | null
  /** Of the message that is forwarded: it may be left out. */
  readonly isForwarded: boolean
  readonly isIncluded: boolean
}

export interface Answer { readonly kind: AnswerKind, readonly emailId: Id }

export interface Draft {
  readonly from: Address
  readonly to: readonly Address[]
  readonly cc: readonly Address[]
  readonly bcc: readonly Address[]
  readonly replyTo: readonly Address[]
  readonly subject: string
  readonly mode: Mode
  /** What is written, in the mode of the draft; images of the body are `cid:`. */
  readonly body: string
  readonly attachments: readonly Attachment[]
  readonly inReplyTo: readonly string[] | null
  readonly references: readonly string[] | null
  readonly answer: Answer | null
  readonly tls: TLSChoice
}

export const EMPTY: Omit<Draft, 'from'> = {
  to: [], cc: [], bcc: [], replyTo: [], subject: '', mode: 'text', body: '', attachments: [], inReplyTo: null, references: null, answer: null, tls: 'default',
}

export const NOTES = 'header:X-Moxpy-Draft:asText'
export const TLS_REQUIRED = 'header:TLS-Required:asText'

/** What has to be known of a message to go on writing it. */
export const DRAFT_PROPERTIES = [
  'id', 'blobId', 'messageId', 'inReplyTo', 'references', 'from', 'to', 'cc', 'bcc', 'replyTo', 'subject', 'keywords', 'mailboxIds',
  'bodyValues', 'textBody', 'htmlBody', 'attachments', NOTES,
] as const

/** What is sent along: all but what was left out of a forwarded message, and images that no longer stand in the body. */
export function included(draft: Draft): Attachment[] {
  return draft.attachments.filter(one => one.isIncluded && (one.cid === null || (draft.mode === 'html' && hasImage(draft.body, one.cid))))
}

export function hasImage(html: string, cid: string): boolean {
  return html.includes(`cid:${cid}"`) || html.includes(`cid:${encodeURIComponent(cid)}"`)
}

/** What a message takes on its way: base64 makes four octets of three, lines and headers come to it. */
export function wireSize(draft: Draft): number {
  const body = new TextEncoder().encode(draft.body).length
  return included(draft).reduce((sum, one) => sum + Math.ceil(one.size * 1.37) + 300, 2000 + (draft.mode === 'html' ? 2.2 : 1.1) * body)
}

interface Created extends Partial<Record<keyof Email, unknown>> { [header: `header:${string}`]: string }

export interface Saving {
  mailboxId: Id
  /** For sending: without what only drafts have. */
  final: boolean
  /** Of the draft so far, so that its versions are known to be one; none at first. */
  messageId: string | null
  /** Which window writes it. */
  window: string
  /** What shows the HTML to others. */
  wrap: (html: string) => string
}

/** The message to create. Attachments without a blob are left out: they are not there yet. */
export function toEmail(draft: Draft, { mailboxId, final, messageId, window, wrap }: Saving): Created {
  const list = (addresses: readonly Address[]) => addresses.length > 0 ? addresses.map(({ name, email }) => ({ name: name || null, email })) : null
  const values: Record<string, { value: string }> = draft.mode === 'text' ? { text: { value: draft.body } }
    : { text: { value: htmlToText(draft.body) }, html: { value: wrap(draft.body) } }
  // What the HTML shows stands with it, all else behind (RFC 8621 §4.6 leaves that to the server).
  const files = included(draft).filter(one => one.blobId !== null).map(({ blobId, name, type, cid }) =>
    ({ blobId, type, name, disposition: cid === null ? 'attachment' : 'inline', ...(cid === null ? {} : { cid }) }))
  const made: Created = {
    mailboxIds: { [mailboxId]: true }, keywords: { $draft: true, $seen: true },
    from: list([draft.from]), subject: draft.subject,
    bodyValues: values, textBody: [{ partId: 'text', type: 'text/plain' }],
    ...(draft.mode === 'html' ? { htmlBody: [{ partId: 'html', type: 'text/html' }] } : {}), ...(files.length > 0 ? { attachments: files } : {}),
  }
  for (const [name, value] of [['to', list(draft.to)], ['cc', list(draft.cc)], ['bcc', list(draft.bcc)], ['replyTo', list(draft.replyTo)],
    ['inReplyTo', draft.inReplyTo], ['references', draft.references], ['messageId', messageId === null ? null : [messageId]]] as const)
    if (value !== null) made[name] = value
  if (final && draft.tls === 'insecure') made[TLS_REQUIRED] = 'No'  // RFC 8689 §5
  if (!final) made[NOTES] = writeNotes(draft, window)
  return made
}

/** `window=…; answer=reply; of=M…; tls=require` */
export function writeNotes(draft: Draft, window: string): string {
  return [
    `window=${window}`,
    ...(draft.answer ? [`answer=${draft.answer.kind}`, `of=${draft.answer.emailId}`] : []),
    ...(draft.tls === 'default' ? [] : [`tls=${draft.tls}`]),
  ].join('; ')
}

/** The window that saved it. */
export function windowOf(notes: string | null | undefined): string | null {
  return /(?:^|; )window=(\w+)/.exec(notes ?? '')?.[1] ?? null
}

const KINDS: readonly string[] = ['reply', 'replyAll', 'replyList', 'forward']

export function readNotes(text: string | null | undefined): Pick<Draft, 'answer' | 'tls'> {
  const notes = new Map((text ?? '').split(';').map(one => one.trim().split('=', 2) as [string, string]))
  const kind = notes.get('answer') ?? '', of = notes.get('of') ?? '', tls = notes.get('tls')
  return {
    answer: KINDS.includes(kind) && /^[\w-]+$/.test(of) ? { kind: kind as AnswerKind, emailId: of } : null,
    tls: tls === 'require' || tls === 'insecure' ? tls : 'default',
  }
}

export type DraftEmail = Partial<Email> & { id: Id, [NOTES]?: string | null }

const OF_WINDOW = Array.from(crypto.getRandomValues(new Uint32Array(2)), one => one.toString(36)).join('')
let keys = 0

/** Names an attachment in this window, and in what is kept in this browser, where those of other windows are, too. */
export function nextKey(): string {
  return `a${OF_WINDOW}-${++keys}`
}

/** Files and images of a message, as one takes them along. */
export function attachmentsOf(parts: readonly EmailBodyPart[], isForwarded: boolean, html: string | null): Attachment[] {
  return parts.map((part, at) => {
    const cid = part.cid && html !== null && hasImage(html, part.cid) && part.type.startsWith('image/') ? part.cid : null
    return {
      key: nextKey(), name: part.name ?? unnamed(part, at), type: part.type, size: part.size, blobId: part.blobId, cid,
      isForwarded: isForwarded && cid === null, isIncluded: true,
    }
  })
}

function unnamed(part: EmailBodyPart, at: number): string {
  if (part.type === 'message/rfc822') return 'message.eml'
  return `part ${at + 1}${part.type.startsWith('image/') ? `.${part.type.slice(6).replace(/\W.*$/, '')}` : ''}`
}

/** The whole of a kind of body: several parts are one after another. */
export function valueOf(parts: readonly EmailBodyPart[] | undefined, values: Readonly<Record<string, EmailBodyValue>> | undefined, type: string): string | null {
  const found = (parts ?? []).filter(one => one.type === type)
  if (found.length === 0) return null
  return found.map(one => values?.[one.partId ?? '']?.value ?? '').join(type === 'text/html' ? '<br>' : '\n')
}

/** The draft that was saved; `fallback` where it has no From. HTML is as it stands: it has to be sanitised before it is shown. */
export function fromEmail(email: DraftEmail, fallback: Address): Draft {
  const html = valueOf(email.htmlBody, email.bodyValues, 'text/html')
  const text = valueOf(email.textBody, email.bodyValues, 'text/plain') ?? ''
  return {
    from: email.from?.[0] ?? fallback, to: email.to ?? [], cc: email.cc ?? [], bcc: email.bcc ?? [], replyTo: email.replyTo ?? [],
    subject: email.subject ?? '', mode: html === null ? 'text' : 'html', body: html ?? text.replace(/\r\n/g, '\n'),
    attachments: attachmentsOf(email.attachments ?? [], false, html),
    inReplyTo: email.inReplyTo ?? null, references: email.references ?? null, ...readNotes(email[NOTES]),
  }
}

/** Whether two states of a draft are saved as the same message. */
export function isSameDraft(one: Draft, other: Draft): boolean {
  return one === other || JSON.stringify(one) === JSON.stringify(other)
}
