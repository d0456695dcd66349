// Answers: to whom they go, from which address, what they are called, what they quote (RFC 5322 §3.6.3, §3.6.4, RFC 2369).

import { canonical, isSame, unique, writeAddresses, type Address } from './addresses'
import { parseMailto } from './mailto'
import { escapeHTML, quote, withoutSignature } from './text'

export type AnswerKind = 'reply' | 'replyAll' | 'replyList' | 'forward'

/** Of a message that is answered, what matters for it. */
export interface Answered {
  readonly id: string
  readonly messageId: readonly string[] | null
  readonly inReplyTo: readonly string[] | null
  readonly references: readonly string[] | null
  readonly from: readonly Address[] | null
  readonly to: readonly Address[] | null
  readonly cc: readonly Address[] | null
  readonly bcc: readonly Address[] | null
  readonly replyTo: readonly Address[] | null
  readonly subject: string | null
  readonly sentAt: string | null
  readonly receivedAt: string
  /** Of List-Post. */
  readonly listPost?: readonly string[] | null
  /** The address it was delivered to; empty or none when that is not known. */
  readonly rcptTo?: string | null
}

/** Whom one can be. `*@domain` stands for every address of a domain. */
export interface Sender {
  readonly id: string
  readonly name: string
  readonly email: string
}

export interface Recipients {
  readonly to: readonly Address[]
  readonly cc: readonly Address[]
  readonly bcc: readonly Address[]
}

/** Who vouches for an address, best first: it is the sender's own, a variant of it (`anna+shop@`), or of its domain. */
export function senderOf(email: string, senders: readonly Sender[]): Sender | null {
  const address = canonical(email), at = address.lastIndexOf('@')
  const local = address.slice(0, at), domain = address.slice(at + 1)
  const exact = senders.find(one => canonical(one.email) === address)
  if (exact) return exact
  const variants = senders.filter(one => {
    const own = canonical(one.email), end = own.lastIndexOf('@'), name = own.slice(0, end)
    return own.slice(end + 1) === domain && name !== '*' && name !== '' && local.startsWith(name) && /^[+\-_=.]/.test(local.slice(name.length))
  }).sort((one, other) => other.email.length - one.email.length)
  return variants[0] ?? senders.find(one => /^\*?@/.test(one.email) && canonical(`x${one.email.replace(/^\*/, '')}`) === `x@${domain}`) ?? null
}

/** Whether an address is one of ours for sure: with + only, since `anna-marie@` may be somebody else. */
function isOwn(email: string, senders: readonly Sender[]): boolean {
  const one = senderOf(email, senders)
  if (!one) return false
  const rest = canonical(email).slice(canonical(one.email).lastIndexOf('@'))
  return isSame(one.email, email) || rest.startsWith('+') || /^\*?@/.test(one.email)
}

/**
 * From whom an answer comes: who wrote it, if that was us; else the address it was sent to, or delivered to; as it was
 * written there, when it is a variant. The first sender when nothing fits.
 */
export function chooseFrom(email: Answered, senders: readonly Sender[], preferred?: Sender): { sender: Sender, from: Address } | null {
  const fallback = preferred ?? senders[0]
  if (!fallback) return null
  const written = (email.from ?? []).filter(one => isOwn(one.email, senders))
  const delivered = email.rcptTo ? [{ name: null, email: email.rcptTo }] : []
  const named = [...email.to ?? [], ...email.cc ?? [], ...email.bcc ?? []]
  // The address of the envelope is ours in any case; those in the header only when we know them.
  const byEnvelope = delivered.filter(one => senderOf(one.email, senders))
  const inHeader = named.filter(one => isOwn(one.email, senders))
  const both = inHeader.filter(one => byEnvelope.some(other => isSame(one.email, other.email)))
  const found = written[0] ?? both[0] ?? inHeader.find(one => senders.some(sender => isSame(sender.email, one.email))) ?? inHeader[0] ?? byEnvelope[0]
  const sender = found && senderOf(found.email, senders)
  if (!sender || !found) return { sender: fallback, from: addressOf(fallback) }
  return { sender, from: isSame(sender.email, found.email) ? addressOf(sender) : { name: sender.name || null, email: found.email } }
}

export function addressOf(sender: Sender): Address {
  return { name: sender.name || null, email: sender.email }
}

/** The address to which a list wants its messages; null when it has none (`NO`), or none by mail (RFC 2369 §3.4). */
export function listAddress(listPost: readonly string[] | null | undefined): Address | null {
  const link = listPost?.find(one => /^mailto:/i.test(one))
  return link === undefined ? null : parseMailto(link).to[0] ?? null
}

export function recipients(kind: AnswerKind, email: Answered, senders: readonly Sender[]): Recipients {
  const to = email.to ?? [], cc = email.cc ?? [], bcc = email.bcc ?? []
  if (kind === 'forward') return { to: [], cc: [], bcc: [] }
  const list = listAddress(email.listPost)
  if (kind === 'replyList' && list) return { to: [list], cc: [], bcc: [] }
  const all = kind !== 'reply'
  const author = email.replyTo?.length ? email.replyTo : email.from ?? []
  const wroteIt = (email.from ?? []).some(one => isOwn(one.email, senders))
  const others = (addresses: readonly Address[]) => addresses.filter(one => one.email !== '' && !isOwn(one.email, senders))
  if (wroteIt && others([...to, ...cc, ...bcc]).length > 0) {
    // An answer to oneself goes on to those it went to.
    const first = unique(others(to))
    const copies = all ? unique(others(cc), first) : []
    const blind = all ? unique(others(bcc), [...first, ...copies]) : []
    if (first.length > 0) return { to: first, cc: copies, bcc: blind }
    return { to: unique(others([...cc, ...bcc])), cc: [], bcc: [] }
  }
  const first = unique(author.filter(one => one.email !== ''))
  if (!all) return { to: first, cc: [], bcc: [] }
  // Reply-To may name ourselves; then it is an answer to those that are left.
  const back = others(first).length > 0 ? others(first) : first
  const whole = unique([...back, ...others(to)])
  return { to: whole, cc: unique(others(cc), whole), bcc: [] }
}

/** Those before it: Re, and what programs of other languages write for it, also numbered. */
const RE = /^(?:(?:re|aw|antw|antwort|sv|vs|odp|ref|rif|r|tr?e)(?:\s*[[(]\d+[\])]|\s*\*\d+)?\s*[:：]\s*)+/i
const FWD = /^(?:(?:fwd?|wg|tr|rv|enc|vl|doorst|i)\s*[:：]\s*)+/i

export function subjectOf(kind: AnswerKind, subject: string | null): string {
  const plain = (subject ?? '').replace(/\s+/g, ' ').trim()
  if (kind === 'forward') return `Fwd: ${plain.replace(FWD, '')}`.trim()
  // Lists put their name before it: `[list] Re: x` is an answer already.
  return /^\[[^\]]{1,60}\]\s*re\s*:/i.test(plain) ? plain : `Re: ${plain.replace(RE, '')}`.trim()
}

/** References kept at most: the first, and the last ones. */
const REFERENCES = 50

/** In-Reply-To and References of an answer (RFC 5322 §3.6.4). */
export function thread(email: Answered): { inReplyTo: string[] | null, references: string[] | null } {
  const own = email.messageId?.[0]
  const before = email.references?.length ? email.references : email.inReplyTo?.length === 1 ? email.inReplyTo : []
  if (own === undefined) return { inReplyTo: null, references: before.length > 0 ? [...before] : null }
  const all = [...before.filter(one => one !== own), own]
  return { inReplyTo: [own], references: all.length > REFERENCES ? [all[0] ?? own, ...all.slice(1 - REFERENCES)] : all }
}

const DATE = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric' })
const TIME = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' })
const LONG = new Intl.DateTimeFormat('en-GB', { weekday: 'short', day: 'numeric', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit', timeZoneName: 'short' })

/** `On 26 Nov 2026 at 10:46, Anna wrote:` */
export function attribution(email: Answered): string {
  const time = new Date(email.sentAt ?? email.receivedAt), author = email.from?.[0]
  const when = Number.isNaN(time.getTime()) ? '' : `On ${DATE.format(time)} at ${TIME.format(time)}, `
  return `${when}${author?.name || author?.email || (when === '' ? 'Somebody' : 'somebody')} wrote:`
}

/** The head of what is forwarded: names and values. */
export function forwardHead(email: Answered): (readonly [string, string])[] {
  const time = new Date(email.sentAt ?? email.receivedAt)
  return ([
    ['From', writeAddresses(email.from ?? [])],
    ['Date', Number.isNaN(time.getTime()) ? '' : LONG.format(time)],
    ['Subject', (email.subject ?? '').replace(/\s+/g, ' ')],
    ['To', writeAddresses(email.to ?? [])],
    ['Cc', writeAddresses(email.cc ?? [])],
    ['Reply-To', writeAddresses(email.replyTo ?? [])],
  ] as const).filter(([, value]) => value !== '')
}

export const FORWARDED = '---------- Forwarded message ----------'

/** A body of text or HTML up to what is forwarded in it. */
export function withoutForwarded(body: string): string {
  const at = body.search(new RegExp(`(?:<div>)?${FORWARDED}`))
  return at < 0 ? body : body.slice(0, at).replace(/\s+$/, '')
}

export function quotedText(kind: AnswerKind, email: Answered, text: string, isSelection: boolean): string {
  const plain = text.replace(/\r\n?/g, '\n')
  if (kind === 'forward') return `${FORWARDED}\n${forwardHead(email).map(([name, value]) => `${name}: ${value}`).join('\n')}\n\n${plain.replace(/\s+$/, '')}`
  return isSelection ? quote(plain.trim()) : `${attribution(email)}\n${quote(withoutSignature(plain))}`
}

/** `html` is what is quoted, sanitised already. */
export function quotedHTML(kind: AnswerKind, email: Answered, html: string, isSelection: boolean): string {
  if (kind === 'forward') {
    const head = forwardHead(email).map(([name, value]) => `<div><b>${name}:</b> ${escapeHTML(value)}</div>`).join('')
    return `<div>${FORWARDED}</div>${head}<div><br></div>${html}`
  }
  const block = `<blockquote type="cite">${html}</blockquote>`
  return isSelection ? block : `<div>${escapeHTML(attribution(email))}</div>${block}`
}

