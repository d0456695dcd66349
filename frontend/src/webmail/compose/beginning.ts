// What a new message begins with: of nothing, of a mailto: link, of a message that is answered, of a draft.

import { call, downloadUrl } from '../../api/jmap/client'
import type { Email, Id, Identity, Preferences, Session } from '../../api/jmap/types'
import { ApiError } from '../../lib/problem'
import type { ComposeStart } from '../compose'
import { identities, preferences } from '../model'
import type { Address } from './addresses'
import { attachmentsOf, DRAFT_PROPERTIES, EMPTY, fromEmail, valueOf, type Answer, type Attachment, type Draft, type DraftEmail, type Mode } from './drafts'
import { parseMailto } from './mailto'
import { addressOf, chooseFrom, quotedHTML, quotedText, recipients, subjectOf, thread, type AnswerKind, type Answered } from './reply'
import { assembleHTML, assembleText, htmlToText, textToHTML, type Quoting } from './text'

export interface Beginning {
  draft: Draft
  /** Of the draft that is gone on with. */
  draftId: Id | null
  messageId: string | null
  /** Where one goes on writing, in plain text. */
  cursor: number
  /** Whether the message came by a list, which no choice of TLS reaches through. */
  isList: boolean
  title: string
}

const ANSWERED_PROPERTIES = [
  'id', 'blobId', 'threadId', 'messageId', 'inReplyTo', 'references', 'from', 'to', 'cc', 'bcc', 'replyTo', 'subject', 'sentAt', 'receivedAt', 'keywords', 'mailboxIds',
  'bodyValues', 'textBody', 'htmlBody', 'attachments', 'origin', 'header:List-Post:asURLs',
] as const
/** Longer bodies are cut where they are quoted. */
const QUOTED_OCTETS = 512 * 1024

type Original = Email & { 'header:List-Post:asURLs'?: string[] | null }

async function fetched(emailId: Id, properties: readonly string[]): Promise<Partial<Email> & { id: Id }> {
  const { list: [found] } = await call('Email/get', {
    ids: [emailId], properties, fetchTextBodyValues: true, fetchHTMLBodyValues: true, maxBodyValueBytes: properties === DRAFT_PROPERTIES ? 0 : QUOTED_OCTETS,
  })
  if (!found) throw new ApiError('notFound', 'the message is no longer there')
  return found
}

export function signatureOf(identity: Identity | undefined, mode: Mode): string {
  const { signature } = preferences.peek()
  const text = identity?.textSignature || signature
  return mode === 'text' ? text : identity?.htmlSignature || (text === '' ? '' : textToHTML(text))
}

export function defaultFrom(): Address {
  const first = identities.peek().find(one => !one.email.startsWith('*'))
  return first ? addressOf(first) : { name: null, email: '' }
}

export function identityOf(email: string): Identity | undefined {
  return identities.peek().find(one => one.email.toLowerCase() === email.toLowerCase())
}

function defaultMode({ composeHTML }: Preferences): Mode {
  return composeHTML ? 'html' : 'text'
}

export async function begin(start: ComposeStart): Promise<Beginning> {
  switch (start.kind) {
    case 'new': return plain({})
    case 'mailto': {
      const link = parseMailto(start.mailto ?? '')
      const references = link.inReplyTo === null ? null : [link.inReplyTo]
      return plain({ to: link.to, cc: link.cc, bcc: link.bcc, subject: link.subject, inReplyTo: references, references }, link.body)
    }
    case 'draft': return restored(await fetched(start.emailId ?? '', DRAFT_PROPERTIES) as DraftEmail)
    default: return answer(start.kind, await fetched(start.emailId ?? '', ANSWERED_PROPERTIES) as Original, start.selection ?? '')
  }
}

function plain(given: Partial<Draft>, text: string = ''): Beginning {
  const from = defaultFrom(), mode = defaultMode(preferences.peek()), identity = identityOf(from.email)
  const signature = signatureOf(identity, mode)
  const empty = mode === 'text' ? assembleText({ quoted: '', signature, quoting: 'top' }).text : assembleHTML({ quoted: '', signature, quoting: 'top' })
  const body = text === '' ? empty : mode === 'text' ? `${text}${empty}` : `${textToHTML(text)}${empty}`
  return {
    draft: { ...EMPTY, from, mode, body, replyTo: identity?.replyTo ?? [], bcc: identity?.bcc ?? [], ...given },
    draftId: null, messageId: null, cursor: mode === 'text' ? text.length : 0, isList: false, title: 'New message',
  }
}

function restored(email: DraftEmail): Beginning {
  // Saving takes the place of it: an address may name any message.
  if (!email.keywords?.['$draft']) throw new ApiError('user:error', 'That message is no draft.')
  const draft = fromEmail(email, defaultFrom())
  return {
    draft: draft.mode === 'html' ? { ...draft, body: bodyOf(draft.body) } : draft,
    draftId: email.id, messageId: email.messageId?.[0] ?? null, cursor: 0, isList: false, title: draft.subject || 'Draft',
  }
}

/** What is within the body of a document that was wrapped for sending. */
function bodyOf(html: string): string {
  const begin = /<body\b[^>]*>/i.exec(html), end = html.search(/<\/body\s*>(?![^]*<\/body)/i)
  return html.slice(begin ? begin.index + begin[0].length : 0, end < 0 ? html.length : end)
}

const TITLES: Record<AnswerKind, string> = { reply: 'Reply', replyAll: 'Reply to all', replyList: 'Reply to the list', forward: 'Forward' }

async function answer(kind: AnswerKind, email: Original, selection: string): Promise<Beginning> {
  const wishes = preferences.peek(), people = identities.peek()
  const answered: Answered = { ...email, listPost: email['header:List-Post:asURLs'] ?? null, rcptTo: email.origin?.rcptTo ?? null }
  const chosen = chooseFrom(answered, people), from = chosen?.from ?? defaultFrom()
  const identity = people.find(one => one.id === chosen?.sender.id)
  const html = valueOf(email.htmlBody, email.bodyValues, 'text/html')
  const text = valueOf(email.textBody, email.bodyValues, 'text/plain') ?? (html === null ? '' : htmlToText(html))
  const mode = defaultMode(wishes)
  const part = kind === 'forward' ? '' : selection.trim()
  const quoting: Quoting = kind === 'forward' ? 'top' : wishes.quoting === 'auto' ? (part === '' ? 'top' : 'bottom') : wishes.quoting
  const signature = signatureOf(identity, mode)
  let body: string, cursor = 0, attachments: Attachment[] = []
  if (mode === 'text') {
    const made = assembleText({ quoted: quotedText(kind, answered, part || text, part !== ''), signature, quoting })
    body = made.text
    cursor = made.cursor
    if (kind === 'forward') attachments = attachmentsOf(email.attachments ?? [], true, null)
  } else {
    const { exported, sanitised } = await import('./html')
    const source = exported(sanitised(part !== '' ? textToHTML(part) : html ?? textToHTML(text)))
    const all = attachmentsOf(email.attachments ?? [], kind === 'forward', source)
    // Images that stand in what is quoted come along; files only when it is forwarded.
    attachments = kind === 'forward' ? all : all.filter(one => one.cid !== null)
    const quoted = quotedHTML(kind, answered, kind === 'forward' ? `<div class="forwarded">${source}</div>` : source, part !== '')
    body = assembleHTML({ quoted, signature, quoting })
  }
  const made = recipients(kind, answered, people)
  const known = new Set([...made.to, ...made.cc].map(one => one.email.toLowerCase()))
  return {
    draft: {
      ...EMPTY, from, mode, body, attachments, to: made.to, cc: made.cc, bcc: [...made.bcc, ...(identity?.bcc ?? []).filter(one => !known.has(one.email.toLowerCase()))],
      replyTo: identity?.replyTo ?? [], subject: subjectOf(kind, email.subject), answer: { kind, emailId: email.id } satisfies Answer,
      ...(kind === 'forward' ? { references: thread(answered).references } : thread(answered)),
    },
    draftId: null, messageId: null, cursor, isList: (answered.listPost?.length ?? 0) > 0 && kind !== 'forward', title: TITLES[kind],
  }
}

/** Where images of a draft are, for the editor. */
export function imagesOf(attachments: readonly Attachment[], session: Session): (cid: string) => string | null {
  return cid => {
    const found = attachments.find(one => one.cid === cid)
    return found?.blobId ? downloadUrl(session, found.blobId, found.name, found.type) : null
  }
}

/** Another mode of the same body. */
export function converted(body: string, from: Mode, to: Mode): string {
  return from === to ? body : to === 'html' ? textToHTML(body) : htmlToText(body)
}
