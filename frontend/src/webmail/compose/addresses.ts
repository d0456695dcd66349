// Addresses as people type and paste them: lists are read, checked and written (RFC 5322 §3.4, RFC 6531 §3.3).
//
// Reading is lenient: semicolons and line ends separate, too, as lists from other programs have them; comments and the
// names of groups are dropped. Nothing typed is lost: what is no address comes back as it stands, and `flaw` says why.

export interface Address {
  readonly name: string | null
  /** As typed; it may be none. */
  readonly email: string
}

/** Addresses of a list as it was typed or pasted; also what is none, but no empty ones. */
export function parseAddresses(text: string): Address[] {
  const found: Address[] = []
  for (const part of split(text)) {
    const address = parseOne(part)
    if (address.email !== '' || address.name) found.push(address.email === '' ? { name: null, email: address.name ?? '' } : address)
  }
  return found
}

/** The parts between separators that stand outside of quotes, comments and angle brackets. */
function split(text: string): string[] {
  const parts: string[] = []
  let part = '', depth = 0, quoted = false, angle = false
  const end = () => {
    if (part.trim() !== '') parts.push(part.trim())
    part = ''
    angle = false
  }
  for (let at = 0; at < text.length; at += 1) {
    const one = text.charAt(at)
    if (one === '\\' && (quoted || depth > 0)) {
      part += one + text.charAt(at + 1)
      at += 1
    } else if (one === '\n' || one === '\r') {
      // A line end separates addresses, but a folded line goes on, and one that ends in a name goes on with its address.
      if (/@[^\s@]+>?\s*$/.test(part) || depth > 0) {
        depth = 0
        quoted = false
        end()
      } else part += ' '
    } else if (quoted) {
      if (one === '"') quoted = false
      part += one
    } else if (one === '(' && !angle) {
      depth += 1
      part += one
    } else if (one === ')' && depth > 0) {
      depth -= 1
      part += one
    } else if (depth > 0) {
      part += one
    } else if (one === '"' && hasEnd(text, at)) {
      quoted = true
      part += one
    } else if (one === '<') {
      // A second bracket is of another address, whose name begins behind the first.
      const begun = /^([^]*<[^<>]*>)([^]*)$/.exec(part)
      if (begun) {
        part = begun[1] ?? ''
        end()
        part = begun[2] ?? ''
      }
      angle = true
      part += one
    } else if (one === '>') {
      angle = false
      part += one
    } else if (one === ',' || one === ';') {
      end()
    } else if (one === ':' && !angle && !part.includes('@') && /;/.test(text.slice(at))) {
      part = ''  // The name of a group.
    } else {
      part += one
    }
  }
  end()
  return parts.flatMap(bare)
}

/** Bare addresses with only white space between them are several. */
function bare(part: string): string[] {
  const words = part.split(/\s+/)
  return words.length > 1 && words.every(word => /^[^\s@<>"()]+@[^\s@<>"()]+$/.test(word)) ? words : [part]
}

function hasEnd(text: string, from: number): boolean {
  for (let at = from + 1; at < text.length; at += 1) {
    if (text.charAt(at) === '\\') at += 1
    else if (text.charAt(at) === '"') return true
  }
  return false
}

function parseOne(part: string): Address {
  const bracket = /^(.*?)<\s*(?:mailto:)?([^<>]*)>?[^>]*$/is.exec(withoutComments(part))
  if (bracket) return { name: unquote(bracket[1] ?? '') || comment(part), email: tidy(bracket[2] ?? '') }
  const plain = withoutComments(part).trim()
  return { name: comment(part), email: tidy(plain.replace(/^mailto:/i, '')) }
}

function tidy(email: string): string {
  return email.trim().replace(/\s*@\s*/, '@').replace(/\.$/, '')
}

/** `Anna (home)` has a comment; one within quotes is none. */
function withoutComments(text: string): string {
  return text.replace(/"(?:[^"\\]|\\.)*"|\((?:[^()\\]|\\.)*\)/gs, found => found.startsWith('(') ? ' ' : found)
}

/** The name of `anna@example.org (Anna)`, the way of old (RFC 5322 §3.4). */
function comment(text: string): string | null {
  const found = [...text.matchAll(/"(?:[^"\\]|\\.)*"|\(((?:[^()\\]|\\.)*)\)/gs)].map(match => match[1]).filter(one => one !== undefined)
  return found[0]?.replace(/\\(.)/gs, '$1').trim() || null
}

function unquote(text: string): string {
  const plain = text.trim()
  const inner = /^"((?:[^"\\]|\\.)*)"$/s.exec(plain) ?? /^'([^']*)'$/s.exec(plain)
  return (inner ? (inner[1] ?? '').replace(/\\(.)/gs, '$1') : plain.replace(/"((?:[^"\\]|\\.)*)"/gs, '$1')).replace(/\s+/g, ' ').trim()
}

/** As it is shown and typed: `Anna <anna@example.org>`, quoted where it has to be. */
export function writeAddress({ name, email }: Address): string {
  if (!name) return email
  return /^[\p{L}\p{N}\p{M} !#$%&'*+\-/=?^_`{|}~]+$/u.test(name) ? `${name} <${email}>` : `"${name.replace(/["\\]/g, '\\$&')}" <${email}>`
}

export function writeAddresses(addresses: readonly Address[]): string {
  return addresses.map(writeAddress).join(', ')
}

const ATEXT = /^[\p{L}\p{N}\p{M}\p{S}!#$%&'*+\-/=?^_`{|}~\u00a1-\u{10ffff}]+(?:\.[\p{L}\p{N}\p{M}\p{S}!#$%&'*+\-/=?^_`{|}~\u00a1-\u{10ffff}]+)*$/u
const QUOTED = /^"(?:[^"\\\p{Cc}]|\\[^\p{Cc}])*"$/u
const LABEL = /^[\p{L}\p{N}](?:[\p{L}\p{N}\p{M}-]*[\p{L}\p{N}\p{M}])?$/u

/** What is wrong with an address, as a sentence; null when nothing is. */
export function flaw(email: string): string | null {
  if (email.trim() === '') return 'There is no address'
  const at = email.lastIndexOf('@')
  if (at < 0) return 'An address has an @'
  const local = email.slice(0, at), domain = email.slice(at + 1)
  if (local === '') return 'Nothing stands before the @'
  if (domain === '') return 'The domain is missing'
  if (octets(local) > 64) return 'The part before the @ is too long'  // RFC 5321 §4.5.3.1.1
  if (!ATEXT.test(local) && !QUOTED.test(local)) {
    if (/\s/.test(local)) return 'There is a space before the @'
    return /^\.|\.$|\.\./.test(local) ? 'A dot stands at an end, or twice' : 'There is something before the @ that an address cannot have'
  }
  if (/^\[(?:\d{1,3}(?:\.\d{1,3}){3}|IPv6:[\da-f:.]+)\]$/i.test(domain)) return null
  if (octets(asciiDomain(domain)) > 255) return 'The domain is too long'
  const labels = domain.split('.')
  if (labels.some(label => label === '')) return 'The domain has a dot too many'
  if (labels.some(label => !LABEL.test(label) || octets(label.normalize('NFC')) > 253)) return 'The domain has something in it that it cannot have'
  if (/^\d+$/.test(labels.at(-1) ?? '')) return 'The domain ends in a number'
  return asciiDomain(domain) === '' ? 'The domain has something in it that it cannot have' : null
}

function octets(text: string): number {
  return new TextEncoder().encode(text).length
}

/** A domain as DNS has it (IDNA); empty when there is no such. */
export function asciiDomain(domain: string): string {
  try {
    return new URL(`http://${domain}/`).hostname
  } catch {
    return ''
  }
}

/** What is the same for two spellings of one address: domains in A-labels; local parts without regard to case, as nearly all servers do. */
export function canonical(email: string): string {
  const at = email.lastIndexOf('@')
  if (at < 0) return email.trim().toLowerCase()
  const domain = email.slice(at + 1)
  return `${email.slice(0, at).normalize('NFC').toLowerCase()}@${asciiDomain(domain) || domain.toLowerCase()}`
}

export function isSame(one: string, other: string): boolean {
  return canonical(one) === canonical(other)
}

/** Without those that are there already, in their order. */
export function unique(addresses: readonly Address[], except: readonly Address[] = []): Address[] {
  const known = new Set(except.map(one => canonical(one.email)))
  return addresses.filter(({ email }) => {
    const key = canonical(email)
    if (known.has(key)) return false
    known.add(key)
    return true
  })
}

/** Widely used domains people mistype, to ask about one that differs by a letter or two. */
const WELL_KNOWN = ['gmail.com', 'hotmail.com', 'outlook.com', 'yahoo.com', 'icloud.com', 'gmx.de', 'gmx.net', 'web.de', 'googlemail.com', 'protonmail.com',
  'fastmail.com', 'posteo.de', 'mailbox.org', 'live.com', 'aol.com']

/** The well-known domain that was probably meant; null mostly. `known`: domains that one writes to are meant as they are. */
export function probablyMeant(email: string, known: ReadonlySet<string> = new Set()): string | null {
  const domain = email.slice(email.lastIndexOf('@') + 1).toLowerCase()
  if (domain.length < 5 || WELL_KNOWN.includes(domain) || known.has(domain)) return null
  const near = WELL_KNOWN.find(one => Math.abs(one.length - domain.length) <= 1 && distance(one, domain) === 1)
  return near ? `${email.slice(0, email.lastIndexOf('@'))}@${near}` : null
}

/** How many letters are wrong, missing, too many, or changed places (Damerau, optimal string alignment). */
function distance(one: string, other: string): number {
  let before: number[] = [], last = Array.from({ length: other.length + 1 }, (_, at) => at)
  for (let row = 1; row <= one.length; row += 1) {
    const line = [row]
    for (let at = 1; at <= other.length; at += 1) {
      const same = one[row - 1] === other[at - 1] ? 0 : 1
      let least = Math.min((last[at] ?? 0) + 1, (line[at - 1] ?? 0) + 1, (last[at - 1] ?? 0) + same)
      if (row > 1 && at > 1 && one[row - 1] === other[at - 2] && one[row - 2] === other[at - 1]) least = Math.min(least, (before[at - 2] ?? 0) + 1)
      line.push(least)
    }
    before = last
    last = line
  }
  return last[other.length] ?? 0
}
