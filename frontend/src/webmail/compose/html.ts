// HTML of others, and of drafts, as the editor may show it; and what the editor has, as it is sent.
//
// DOMPurify takes out what could run or leave its place. Nothing is fetched from elsewhere: images of other servers wait in
// `data-src`, those of the message are shown from our own server and known by `data-cid`.

import DOMPurify from 'dompurify'
import { applyStyles, hideStyles, isHidden, showStyles } from './markup'

/** Choices of the editor: a class while it is written, a style once it is sent. */
export const COLOURS = [
  ['red', '#c0271d'], ['orange', '#b45309'], ['green', '#0f7048'], ['blue', '#2450c8'], ['purple', '#7e3aaf'], ['grey', '#6b7280'],
] as const
export const SIZES = [['small', '0.85em'], ['large', '1.3em'], ['huge', '1.8em']] as const

const CLASSES = new Set(['signature', 'forwarded', ...COLOURS.map(([name]) => `colour-${name}`), ...SIZES.map(([name]) => `size-${name}`)])
const STYLES = new Map<string, string>([
  ...COLOURS.map(([name, value]) => [`colour-${name}`, `color: ${value}`] as const),
  ...SIZES.map(([name, value]) => [`size-${name}`, `font-size: ${value}`] as const),
])

const TAGS = [
  'a', 'abbr', 'address', 'b', 'bdi', 'bdo', 'big', 'blockquote', 'br', 'caption', 'center', 'cite', 'code', 'col', 'colgroup', 'dd', 'del', 'dfn', 'div', 'dl', 'dt', 'em',
  'figcaption', 'figure', 'font', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'hr', 'i', 'img', 'input', 'ins', 'kbd', 'li', 'mark', 'ol', 'p', 'pre', 'q', 's', 'samp', 'small', 'span',
  'strike', 'strong', 'sub', 'sup', 'table', 'tbody', 'td', 'tfoot', 'th', 'thead', 'tr', 'tt', 'u', 'ul', 'var',
]
const ADDRESSES = ['href', 'src']
const VALUES = [
  'alt', 'title', 'width', 'height', 'align', 'valign', 'bgcolor', 'color', 'face', 'size', 'border', 'cellpadding', 'cellspacing', 'colspan', 'rowspan', 'dir',
  'lang', 'start', 'type', 'class', 'id', 'data-style', 'data-src', 'data-cid', 'data-cursor', 'data-colour', 'data-size',
]
const LINKS = /^(?:https?|mailto|tel|cid):|^#/i
/** Of the editor's own bookmarks. */
const BOOKMARK = /^squire-selection-(?:start|end)$/
/** What the editor would rename by itself, with styles as markup. */
const SIMPLER: Record<string, string> = { STRONG: 'b', EM: 'i', INS: 'u', STRIKE: 's', DEL: 's', TT: 'code', BIG: 'span' }

/** Where an image of the message is, by its Content-ID; null when it has none. */
export type Images = (cid: string) => string | null

export function sanitise(html: string, images: Images = () => null): DocumentFragment {
  const inert = DOMPurify.sanitize(hideStyles(html), {
    ALLOWED_TAGS: TAGS, ALLOWED_ATTR: [...ADDRESSES, ...VALUES], ADD_URI_SAFE_ATTR: VALUES, ALLOW_DATA_ATTR: false, ALLOW_ARIA_ATTR: false, ALLOWED_URI_REGEXP: LINKS, ADD_DATA_URI_TAGS: ['img'], RETURN_DOM_FRAGMENT: true,
  })
  for (const element of [...inert.querySelectorAll<HTMLElement>('*')]) {
    if (isHidden(element.dataset['style'] ?? '')) {
      element.remove()
      continue
    }
    const classes = [...element.classList].filter(one => CLASSES.has(one))
    if (classes.length > 0) element.className = classes.join(' ')
    else element.removeAttribute('class')
    choose(element, 'colour', 'color')
    choose(element, 'size', 'font-size')
    if (!BOOKMARK.test(element.id)) element.removeAttribute('id')
    switch (element.tagName) {
      case 'INPUT': if (element.id === '') element.remove(); break
      case 'IMG': settle(element, images); break
      default: simplify(element)
    }
  }
  const shown = document.importNode(inert, true)
  applyStyles(shown)
  return shown
}

/** What was chosen in the editor is a class again, and no style. */
function choose(element: HTMLElement, kind: 'colour' | 'size', property: string): void {
  delete element.dataset[kind]
  if (![...element.classList].some(one => one.startsWith(`${kind}-`))) return
  element.dataset[kind] = ''
  const style = (element.dataset['style'] ?? '').split(';').filter(one => one.split(':')[0]?.trim().toLowerCase() !== property).join(';')
  if (style.trim() === '') delete element.dataset['style']
  else element.dataset['style'] = style
}

function settle(image: HTMLElement, images: Images): void {
  const source = image.getAttribute('src') ?? '', cid = /^cid:/i.test(source) ? decode(source.slice(4)) : image.dataset['cid']
  if (cid !== undefined) {
    const place = images(cid)
    image.dataset['cid'] = cid
    if (place) image.setAttribute('src', place)
    else image.removeAttribute('src')
  } else if (/^https?:/i.test(source)) {
    image.dataset['src'] = source
    image.removeAttribute('src')
  } else if (!/^data:image\//i.test(source) && image.dataset['src'] === undefined) {
    image.remove()
  }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

function simplify(element: HTMLElement): void {
  const tag = SIMPLER[element.tagName]
  if (tag === undefined) return
  const other = element.ownerDocument.createElement(tag)
  for (const { name, value } of element.attributes) other.setAttribute(name, value)
  other.append(...element.childNodes)
  element.replaceWith(other)
}

/** As `sanitise`, as text. */
export function sanitised(html: string, images?: Images): string {
  const box = document.createElement('div')
  box.append(sanitise(html, images))
  return box.innerHTML
}

/** HTML of the editor as elements that are not shown; its styles are `data-style`. */
function opened(html: string): HTMLElement {
  return new DOMParser().parseFromString(hideStyles(html), 'text/html').body
}

const BLOCKS = 'p, div, li, ul, ol, blockquote, pre, td, th, tr, table, h1, h2, h3, h4, h5, h6'

/** A space typed beside an element is kept by browsers as one that does not break, and Firefox leaves it so: between two
 *  words it becomes a usual one. Those within a text were meant, and those that French puts before `!` too. */
function breakable(body: HTMLElement): void {
  const walker = body.ownerDocument.createTreeWalker(body, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT)
  let before: Text | null = null
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (!(node instanceof Text)) {
      if ((node as Element).matches(`br, img, hr, ${BLOCKS}`)) before = null
      continue
    }
    if (node.data === '' || node.parentElement?.closest('pre')) continue
    if (before && before.parentElement?.closest(BLOCKS) === node.parentElement?.closest(BLOCKS)) {
      if (/\S\u00a0$/.test(before.data) && /^[^\s!?:;»]/.test(node.data)) before.data = `${before.data.slice(0, -1)} `
      else if (/[^\s«]$/.test(before.data) && /^\u00a0[^\s!?:;»]/.test(node.data)) node.data = ` ${node.data.slice(1)}`
    }
    before = node
  }
}

/** What the editor has, as a draft keeps it: images are `cid:` or where they were, choices are styles. */
export function exported(html: string): string {
  const body = opened(html.replace(/\u200b/g, ''))
  for (const image of body.querySelectorAll<HTMLElement>('img')) {
    const { cid, src } = image.dataset
    if (cid !== undefined) image.setAttribute('src', `cid:${cid}`)
    else if (src !== undefined) image.setAttribute('src', src)
    delete image.dataset['cid']
    delete image.dataset['src']
  }
  for (const element of body.querySelectorAll<HTMLElement>('[class]')) {
    const styles = [...element.classList].map(one => STYLES.get(one)).filter(one => one !== undefined)
    if (styles.length > 0) element.dataset['style'] = [element.dataset['style'] ?? '', ...styles].filter(one => one !== '').map(one => one.replace(/;\s*$/, '')).join('; ')
  }
  breakable(body)
  for (const element of body.querySelectorAll<HTMLElement>('[data-cursor]')) delete element.dataset['cursor']
  return showStyles(body.innerHTML)
}

/** The whole document that is sent: what programs without style sheets of their own need to show it as it was written. */
export function wrapped(html: string): string {
  const body = opened(html)
  for (const element of body.querySelectorAll<HTMLElement>('[data-colour], [data-size]')) {
    element.removeAttribute('data-colour')
    element.removeAttribute('data-size')
  }
  for (const one of body.querySelectorAll<HTMLElement>('blockquote[type="cite"]'))
    if (one.dataset['style'] === undefined) one.dataset['style'] = 'margin: 0 0 0 0.8ex; padding-left: 1ex; border-left: 2px solid #c5cbd7'
  return `<!DOCTYPE html><html><head><meta charset="utf-8"></head><body>${showStyles(body.innerHTML)}</body></html>`
}
