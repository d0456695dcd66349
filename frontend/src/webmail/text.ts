// Plain text of a message as it is read: quotes by their depth, links, the signature, and what is only a repetition.

/** Lines that belong together. */
export interface Block {
  /** How many `>` stand before each line. */
  depth: number
  text: string
  isSignature: boolean
}

/** `> > text` and `>> text` are both two deep; one space behind the signs is theirs. */
const QUOTE = /^((?:> ?)+)/

export function blocks(text: string): Block[] {
  const found: Block[] = []
  let signature = false
  for (const line of text.replace(/\r\n?/g, '\n').replace(/\n+$/, '').split('\n')) {
    const marks = QUOTE.exec(line)?.[1] ?? ''
    const depth = marks.replace(/[^>]/g, '').length, rest = line.slice(marks.length)
    // RFC 3676 §4.3. What is quoted behind it is none.
    if (depth === 0 && line === '-- ') signature = true
    const isSignature = signature && depth === 0
    const last = found.at(-1)
    if (last && last.depth === depth && last.isSignature === isSignature) last.text += `\n${rest}`
    else found.push({ depth, text: rest, isSignature })
  }
  return found
}

/** From which block on only what was said before is repeated: a quote at the end, with the line that introduces it. */
export function repetition(all: readonly Block[], least = 6): number {
  let at = all.length
  while (at > 0) {
    const one = all[at - 1]
    if (one && (one.depth > 0 || one.isSignature || one.text.trim() === '')) at -= 1
    else break
  }
  const lines = all.slice(at).filter(one => one.depth > 0).reduce((sum, one) => sum + one.text.split('\n').length, 0)
  const first = all.findIndex((one, index) => index >= at && one.depth > 0)
  return at > 0 && first >= 0 && lines >= least ? first : all.length
}

export interface Piece { text: string, href?: string }

const LINK = /\b(?:https?:\/\/[^\s<>"'\u201c\u201d]+|mailto:[^\s<>"']+|www\.[a-z0-9-]+\.[^\s<>"']+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+)/gi

/** Text with its links. */
export function pieces(text: string): Piece[] {
  const found: Piece[] = []
  let from = 0
  for (const match of text.matchAll(LINK)) {
    const link = trimmed(match[0]), at = match.index
    if (at > from) found.push({ text: text.slice(from, at) })
    const href = /^(https?|mailto):/i.test(link) ? link : link.includes('@') && !link.startsWith('www.') ? `mailto:${link}` : `https://${link}`
    found.push({ text: link, href })
    from = at + link.length
  }
  if (from < text.length) found.push({ text: text.slice(from) })
  return found
}

/** Without the signs that end a sentence or close a bracket that was opened before the link. */
function trimmed(link: string): string {
  let end = link.length
  for (;;) {
    const last = link[end - 1] ?? ''
    if (/[.,;:!?*_~]/.test(last)) end -= 1
    else if (last === ')' && unbalanced(link.slice(0, end), '(', ')')) end -= 1
    else if (last === ']' && unbalanced(link.slice(0, end), '[', ']')) end -= 1
    else return link.slice(0, end)
  }
}

function unbalanced(text: string, open: string, close: string): boolean {
  return text.split(close).length > text.split(open).length
}
