// Bodies in plain text and HTML: quoting, signatures, one made from the other, and what is said in them about attachments.
//
// HTML given here is parsed into a document that runs and loads nothing; what is shown goes through html.ts besides.

import { hideStyles } from './markup'

/** Marks the signature that was put in, so that another one can take its place. */
export const SIGNATURE = 'signature'
/** As mail programs mark what is quoted. */
export const CITE = 'cite'

/** Each line behind `> `; a quote within gets no second space, as is usual. */
export function quote(text: string): string {
  return text.replace(/\s+$/, '').split('\n').map(line => line === '' ? '>' : line.startsWith('>') ? `>${line}` : `> ${line}`).join('\n')
}

/** Without the signature at its end (RFC 3676 §4.3), which nobody wants to have quoted. */
export function withoutSignature(text: string): string {
  const at = text.lastIndexOf('\n-- \n')
  return at < 0 || text.slice(at + 5).split('\n').length > 12 ? text : text.slice(0, at)
}

/** Lines of the text that are nobody else's. */
export function unquoted(text: string): string {
  return text.split('\n').filter(line => !line.startsWith('>')).join('\n')
}

const ATTACHED = /\b(?:attach(?:ed|ment|ments|ing)?|enclosed|angehängt|angehängte[nmrs]?|anhang|anhänge|anbei|beigefügt|pièces? jointes?|ci-joint|adjunt[oa]s?|bijlagen?|allegat[oi])(?![\p{L}\p{N}])/iu

/** The word that speaks of an attachment, in the part that is nobody else's and is not the signature; null for none. */
export function attachmentWord(text: string, signature: string = ''): string | null {
  const own = unquoted(signature.trim() === '' ? text : text.replace(signature.trim(), ''))
  return ATTACHED.exec(own)?.[0] ?? null
}

export function escapeHTML(text: string): string {
  return text.replace(/[&<>"]/g, one => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[one] ?? one)
}

const URL_IN_TEXT = /\b(?:https?:\/\/|mailto:)[^\s<>"]+[^\s<>".,;:!?)\]}']/gi

/** A line as HTML: spaces are kept, addresses of the web become links. */
function lineToHTML(line: string): string {
  let out = '', last = 0
  for (const match of line.matchAll(URL_IN_TEXT)) {
    out += spaced(line.slice(last, match.index))
    out += `<a href="${escapeHTML(match[0])}">${escapeHTML(match[0])}</a>`
    last = match.index + match[0].length
  }
  return out + spaced(line.slice(last))
}

function spaced(text: string): string {
  return escapeHTML(text).replace(/\t/g, '    ').replace(/^ | (?= )/g, '\u00a0')
}

/** Plain text as HTML: a block for every line, a quote for every level of `>`. */
export function textToHTML(text: string): string {
  const out: string[] = []
  let depth = 0
  for (const line of text.replace(/\r\n?/g, '\n').split('\n')) {
    const marks = /^(?:> ?)+/.exec(line)?.[0] ?? ''
    const wanted = Math.min(20, marks.split('>').length - 1)
    for (; depth < wanted; depth += 1) out.push(`<blockquote type="${CITE}">`)
    for (; depth > wanted; depth -= 1) out.push('</blockquote>')
    const rest = line.slice(marks.length)
    out.push(`<div>${rest.trim() === '' ? '<br>' : lineToHTML(rest)}</div>`)
  }
  for (; depth > 0; depth -= 1) out.push('</blockquote>')
  return out.join('')
}

const BLOCKS = new Set(['ADDRESS', 'ARTICLE', 'ASIDE', 'BLOCKQUOTE', 'BODY', 'CAPTION', 'CENTER', 'DD', 'DIV', 'DL', 'DT', 'FIELDSET', 'FIGCAPTION', 'FIGURE', 'FOOTER',
  'FORM', 'H1', 'H2', 'H3', 'H4', 'H5', 'H6', 'HEADER', 'HR', 'HTML', 'LI', 'MAIN', 'NAV', 'OL', 'P', 'PRE', 'SECTION', 'TABLE', 'TBODY', 'TFOOT', 'THEAD', 'TR', 'UL'])
/** Blocks with a blank line around. */
const APART = new Set(['P', 'H1', 'H2', 'H3', 'H4', 'H5', 'H6', 'UL', 'OL', 'PRE', 'TABLE', 'DL', 'FIGURE'])
const UNSEEN = new Set(['SCRIPT', 'STYLE', 'HEAD', 'TITLE', 'TEMPLATE', 'NOSCRIPT', 'OBJECT', 'IFRAME', 'SELECT', 'META', 'LINK'])
const DEPTH = 200

export function parseHTML(html: string): HTMLElement {
  return new DOMParser().parseFromString(hideStyles(html), 'text/html').body
}

/** What HTML says, as plain text with `>`, `*`, numbers and addresses of links where they tell more than their text. */
export function htmlToText(html: string): string {
  return elementToText(parseHTML(html))
}

export function elementToText(root: Node): string {
  const writer = new Writer()
  writer.children(root, { pre: false, list: null, depth: 0 })
  return writer.text()
}

interface Place { pre: boolean, list: { ordered: boolean, next: number } | null, depth: number }

class Writer {
  private readonly lines: string[] = []
  private line = ''
  /** What stands before each line: marks of quotes, indents of lists. */
  private prefix = ''
  /** Of an item, before its first line only. */
  private bullet: string | null = null
  private started = false
  /** Blank lines wanted before what comes next. */
  private gap = 0

  text(): string {
    this.end()
    return this.lines.map(line => line.replace(/\u00a0/g, ' ').trimEnd()).join('\n').replace(/^\n+|\s+$/g, '')
  }

  children(node: Node, place: Place): void {
    if (place.depth > DEPTH) {
      this.write(node.textContent ?? '', place.pre)
      return
    }
    for (const child of node.childNodes) this.node(child, { ...place, depth: place.depth + 1 })
  }

  private node(node: Node, place: Place): void {
    if (node.nodeType === 3) {
      this.write(node.nodeValue ?? '', place.pre)
      return
    }
    if (node.nodeType !== 1) return
    const element = node as HTMLElement, tag = element.tagName.toUpperCase()
    if (UNSEEN.has(tag)) return
    switch (tag) {
      case 'BR': this.breakLine(); return
      case 'HR': this.end(); this.line = '-'.repeat(30); this.started = true; this.end(); return
      case 'IMG': {
        const alt = element.getAttribute('alt')?.trim()
        if (alt) this.write(`[${alt}]`, place.pre)
        return
      }
      case 'A': this.link(element as HTMLAnchorElement, place); return
      case 'BLOCKQUOTE': {
        // A quote within a quote gets no space between the marks.
        this.within(this.prefix.endsWith('> ') ? `${this.prefix.slice(0, -1)}> ` : `${this.prefix}> `, () => this.children(element, { ...place, list: null }))
        return
      }
      case 'UL': case 'OL':
        this.apart(place.list ? 0 : 1, () => this.children(element, { ...place, list: { ordered: tag === 'OL', next: Number(element.getAttribute('start')) || 1 } }))
        return
      case 'LI': {
        const bullet = place.list?.ordered ? `${place.list.next}. ` : '* '
        if (place.list) place.list.next += 1
        this.end()
        const before = this.prefix
        this.bullet = `${before}${bullet}`
        this.prefix = `${before}${' '.repeat(bullet.length)}`
        this.children(element, { ...place, list: place.list ? { ...place.list } : null })
        this.end()
        if (this.bullet !== null) {
          this.lines.push(this.bullet.trimEnd())
          this.bullet = null
        }
        this.prefix = before
        return
      }
      case 'TD': case 'TH':
        if (this.line.trim() !== '' && element.previousElementSibling) this.write('\t', true)
        this.children(element, place)
        return
      case 'PRE':
        this.apart(1, () => this.children(element, { ...place, pre: true }))
        return
    }
    if (BLOCKS.has(tag)) this.apart(APART.has(tag) ? 1 : 0, () => this.children(element, place))
    else this.children(element, { ...place, pre: place.pre || /white-space\s*:\s*pre/i.test(element.dataset['style'] ?? '') })
  }

  private link(element: HTMLAnchorElement, place: Place): void {
    const target = element.getAttribute('href') ?? '', shown = (element.textContent ?? '').trim()
    this.children(element, place)
    const plain = (text: string) => text.replace(/^(?:https?:\/\/|mailto:)/i, '').replace(/\/$/, '').toLowerCase()
    if (/^(?:https?|mailto):/i.test(target) && shown !== '' && plain(target) !== plain(shown)) this.write(` <${target}>`, place.pre)
  }

  private write(text: string, pre: boolean): void {
    if (pre) {
      text.split('\n').forEach((part, at) => {
        if (at > 0) this.breakLine()
        if (part !== '') this.put(part)
      })
      return
    }
    const flat = text.replace(/[ \t\r\n\f]+/g, ' ')
    if (flat === ' ' && (this.line === '' || this.line.endsWith(' '))) return
    this.put(this.line === '' || this.line.endsWith(' ') ? flat.replace(/^ /, '') : flat)
  }

  private put(text: string): void {
    if (text === '') return
    this.line += text
    this.started = true
  }

  private breakLine(): void {
    this.started = true
    this.end()
  }

  /** Ends a line that has begun. */
  private end(): void {
    if (!this.started) return
    for (; this.gap > 0; this.gap -= 1) if (this.lines.length > 0) this.lines.push(this.prefix.trimEnd())
    this.lines.push(this.line.trim() === '' && this.bullet === null ? this.prefix.trimEnd() : `${this.bullet ?? this.prefix}${this.line.replace(/ +$/, '')}`)
    this.bullet = null
    this.line = ''
    this.started = false
  }

  private apart(blank: number, run: () => void): void {
    this.end()
    this.gap = Math.max(this.gap, blank)
    run()
    this.end()
    this.gap = Math.max(this.gap, blank)
  }

  private within(prefix: string, run: () => void): void {
    this.end()
    const before = this.prefix
    this.prefix = prefix
    const lines = this.lines.length
    run()
    this.end()
    this.prefix = before
    this.gap = this.lines.length > lines ? 0 : this.gap
  }
}

/** Whether HTML would lose anything in plain text that its writer may have meant. */
export function isFormatted(html: string): boolean {
  const root = parseHTML(html)
  for (const quoted of root.querySelectorAll(`blockquote, .${SIGNATURE}`)) quoted.remove()
  return root.querySelector('b, strong, i, em, u, s, strike, ul, ol, img, table, h1, h2, h3, h4, font, span[data-style], span[class]') !== null ||
    [...root.querySelectorAll('a[href]')].some(one => one.textContent?.trim() !== one.getAttribute('href'))
}

export type Quoting = 'top' | 'bottom'

/** Own text, signature and what is quoted, as they stand in a new message; and where one goes on writing. */
export interface Parts {
  quoted: string
  signature: string
  quoting: Quoting
}

/** A signature is set off by `-- ` only where it ends the message: programs cut off what stands behind that. */
export function assembleText({ quoted, signature, quoting }: Parts): { text: string, cursor: number } {
  const name = signature.replace(/\s+$/, '')
  if (quoted === '') return { text: name === '' ? '' : `\n\n${delimited(name)}`, cursor: 0 }
  if (quoting === 'top') return { text: `${name === '' ? '' : `\n\n${name}`}\n\n${quoted}\n`, cursor: 0 }
  const text = `${quoted}\n\n`
  return { text: `${text}${name === '' ? '' : `\n\n${delimited(name)}`}`, cursor: text.length }
}

function delimited(signature: string): string {
  return /^-- ?\n/.test(signature) ? signature : `-- \n${signature}`
}

/** As `assembleText`, in HTML; one goes on writing in the element with the attribute `data-cursor`. */
export function assembleHTML({ quoted, signature, quoting }: Parts): string {
  const name = signature.trim() === '' ? '' : `<div><br></div><div class="${SIGNATURE}">${signature}</div>`
  const cursor = '<div data-cursor=""><br></div>'
  if (quoted === '') return `${cursor}${name}`
  return quoting === 'top' ? `${cursor}${name}<div><br></div>${quoted}<div><br></div>` : `${quoted}<div><br></div>${cursor}${name}`
}

/** The text with another signature in the place of the one that was put in; as it is, when that was changed or taken out. */
export function exchangeSignature(text: string, before: string, after: string): string {
  const old = before.replace(/\s+$/, ''), next = after.replace(/\s+$/, '')
  if (old === next) return text
  if (old === '') {
    // Nothing stood there: it goes to the end, unless something quoted ends the message.
    return next === '' || />[^\n]*\s*$/.test(text) ? text : `${text.replace(/\s+$/, '')}\n\n${delimited(next)}`
  }
  const at = text.lastIndexOf(old)
  if (at < 0) return text
  const begin = text.slice(0, at), dashes = begin.endsWith('-- \n') && !old.startsWith('-- ')
  const head = dashes && next === '' ? begin.slice(0, -4) : begin
  return (next === '' ? head.replace(/\n\n$/, '') : head + next) + text.slice(at + old.length)
}
