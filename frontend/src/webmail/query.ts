// The language of the search field: words, "quoted phrases", -not, and tag:value. `parse` reads it, `pack` writes it, and
// `toFilter` says it in JMAP.

import type { AttachmentType, Filter, FilterCondition, Mailbox } from '../api/jmap/types'
import { parseSize } from '../lib/format'

/** By tag: what is asked, and whether it may be negated. `word` is what has no tag. */
export const TAGS = {
  word: { not: true, what: 'Anywhere in the message' },
  mailbox: { not: false, what: 'In this mailbox' },
  submb: { not: false, what: 'In this mailbox and those below it' },
  from: { not: true, what: 'From' },
  to: { not: true, what: 'To, Cc or Bcc' },
  subject: { not: true, what: 'Subject' },
  label: { not: true, what: 'Label' },
  start: { not: false, what: 'Received since' },
  end: { not: false, what: 'Received until' },
  attachments: { not: true, what: 'Attachments' },
  header: { not: false, what: 'Header' },
  minsize: { not: false, what: 'At least this size' },
  maxsize: { not: false, what: 'At most this size' },
  is: { not: true, what: 'unread, read, flagged, answered, draft' },
} as const
export type Tag = keyof typeof TAGS

const SHORT: Record<string, Tag> = { mb: 'mailbox', f: 'from', t: 'to', s: 'subject', l: 'label', a: 'attachments', h: 'header' }

export interface Term {
  tag: Tag
  not: boolean
  value: string
}

export const ATTACHMENTS: readonly AttachmentType[] = ['none', 'any', 'image', 'pdf', 'archive', 'spreadsheet', 'document', 'presentation']
const STATES: Record<string, string> = { read: '$seen', flagged: '$flagged', answered: '$answered', draft: '$draft' }

/** Unknown tags are words, and so is what has no value where there must be one. */
export function parse(text: string): Term[] {
  const terms: Term[] = []
  let at = 0
  while (at < text.length) {
    if (/\s/.test(text[at] ?? '')) {
      at += 1
      continue
    }
    let raw = '', value = '', not = false, tag: Tag = 'word', quoted = false
    if (text[at] === '-' && at + 1 < text.length && !/\s/.test(text[at + 1] ?? '')) {
      not = true
      at += 1
    }
    while (at < text.length && !/\s/.test(text[at] ?? '')) {
      const sign = text[at] ?? ''
      if (sign === '"') {
        quoted = true
        at += 1
        for (; at < text.length; at += 1) {
          if (text[at] === '"') {
            if (text[at + 1] !== '"') break
            at += 1
          }
          value += text[at] ?? ''
        }
        at += 1
        continue
      }
      value += sign
      at += 1
      if (sign === ':' && tag === 'word' && !quoted) {
        const name = value.slice(0, -1).toLowerCase(), known = SHORT[name] ?? (Object.hasOwn(TAGS, name) && name !== 'word' ? name as Tag : undefined)
        if (known && !(not && !TAGS[known].not)) {
          tag = known
          raw = value
          value = ''
        }
      }
    }
    if (tag !== 'word' && value === '' && tag !== 'mailbox' && !quoted) terms.push({ tag: 'word', not, value: raw })
    else if (value !== '' || tag !== 'word') terms.push({ tag, not, value })
  }
  return terms
}

/** As one would type it; `parse` reads the same terms of it. */
export function pack(terms: readonly Term[]): string {
  return terms.map(({ tag, not, value }) => {
    // A word that would be read as something else is quoted, and so is what is empty, unless it says: all mailboxes.
    const plain = tag === 'word' ? !/[\s":]|^-/.test(value) && value !== '' : !/[\s"]/.test(value) && (value !== '' || tag === 'mailbox')
    return `${not ? '-' : ''}${tag === 'word' ? '' : `${tag === 'mailbox' ? 'mb' : tag}:`}${plain ? value : `"${value.replace(/"/g, '""')}"`}`
  }).join(' ')
}

/** What keeps a search from being one. */
export class QueryProblem extends Error {}

/** The mailboxes by their whole names, those above before `/`. */
export type Names = ReadonlyMap<string, Mailbox>

/**
 * The filter of a search. Without a mailbox it is for all but Trash, Junk and Rejects, `away`.
 *
 * Throws QueryProblem, whose message may be shown.
 */
export function toFilter(terms: readonly Term[], names: Names, away: readonly string[]): Filter {
  const conditions: Filter[] = []
  let scoped = false
  for (const { tag, not, value } of terms) {
    if (tag === 'mailbox' || tag === 'submb') {
      scoped = true
      if (tag === 'mailbox' && value === '') continue
      const box = named(names, value)
      if (!box) throw new QueryProblem(`There is no mailbox “${value}”.`)
      const whole = [...names].find(([, one]) => one === box)?.[0] ?? value
      const below = tag === 'submb' ? [...names].filter(([name]) => name.startsWith(`${whole}/`)).map(([, one]) => one) : []
      conditions.push(anyOf([box, ...below].map(one => ({ inMailbox: one.id }))))
      continue
    }
    const made = condition(tag, value)
    conditions.push(not ? { operator: 'NOT', conditions: [made] } : made)
  }
  if (!scoped && away.length > 0) conditions.push({ inMailboxOtherThan: [...away] })
  return allOf(conditions)
}

/** The mailbox of that name; letters' case matters only where two differ by it alone. */
function named(names: Names, value: string): Mailbox | undefined {
  const exact = names.get(value)
  return exact ?? [...names].find(([name]) => name.toLowerCase() === value.toLowerCase())?.[1]
}

function condition(tag: Exclude<Tag, 'mailbox' | 'submb'>, value: string): Filter {
  switch (tag) {
    case 'word': return { text: value }
    case 'from': return { from: value }
    case 'to': return anyOf([{ to: value }, { cc: value }, { bcc: value }])
    case 'subject': return { subject: value }
    case 'label': return { hasKeyword: value.toLowerCase() }
    case 'start': return { after: moment(value, false) }
    case 'end': return { before: moment(value, true) }
    case 'attachments': {
      const kind = (value === 'zip' ? 'archive' : value) as AttachmentType
      if (!ATTACHMENTS.includes(kind)) throw new QueryProblem(`“attachments:${value}” is not known; known are ${ATTACHMENTS.join(', ')}.`)
      return kind === 'any' || kind === 'none' ? { hasAttachment: kind === 'any' } : { attachmentType: kind }
    }
    case 'header': {
      const at = value.indexOf(':')
      return { header: at < 0 ? [value] : [value.slice(0, at), value.slice(at + 1)] }
    }
    case 'minsize': return { minSize: octets(value) }
    case 'maxsize': return { maxSize: octets(value) + 1 }
    case 'is': {
      if (value === 'unread') return { notKeyword: '$seen' }
      const keyword = STATES[value]
      if (!keyword) throw new QueryProblem(`“is:${value}” is not known; known are unread, ${Object.keys(STATES).join(', ')}.`)
      return { hasKeyword: keyword }
    }
    default: return tag satisfies never
  }
}

function octets(value: string): number {
  const size = parseSize(value)
  if (size === null || size < 0) throw new QueryProblem(`“${value}” is not a size like 500k, 2m or 1g.`)
  return size
}

/** A day or a time as people type it, in local time. The end of a span includes its day, or its minute. */
export function moment(value: string, end: boolean): string {
  const match = /^(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ](\d{1,2}):(\d{2})(?::(\d{2}))?)?$/.exec(value.trim())
  const [, year = 0, month = 0, day = 0, hour, minute, second] = match?.map(one => one === undefined ? undefined : Number(one)) ?? []
  const time = new Date(year, month - 1, day, hour ?? 0, minute ?? 0, second ?? 0)
  if (!match || Number.isNaN(time.getTime()) || time.getMonth() !== month - 1) throw new QueryProblem(`“${value}” is not a date like 2026-11-26 or 2026-11-26T09:30.`)
  if (end) {
    if (hour === undefined) time.setDate(time.getDate() + 1)
    else if (second === undefined) time.setMinutes(time.getMinutes() + 1)
    else time.setSeconds(time.getSeconds() + 1)
  }
  return time.toISOString().replace('.000Z', 'Z')
}

export function allOf(conditions: readonly Filter[]): Filter {
  return conditions.length === 1 && conditions[0] ? conditions[0] : { operator: 'AND', conditions: [...conditions] }
}

function anyOf(conditions: readonly FilterCondition[]): Filter {
  return conditions.length === 1 && conditions[0] ? conditions[0] : { operator: 'OR', conditions: [...conditions] }
}
