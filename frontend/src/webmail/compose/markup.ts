// The attribute `style` as data: pages may set styles by script, never by markup (their Content-Security-Policy), and a
// parser that meets the attribute reports a violation. So it is called `data-style` from before HTML is parsed until after
// it is written, and what is shown gets its styles one property at a time.

/** Renames attributes within tags, in one pass: text and values of attributes stay as they are. */
function rename(html: string, from: string, to: string): string {
  let out = '', last = 0, at = html.indexOf('<')
  const isName = (one: string) => /[^\s"'<>/=]/.test(one)
  while (at >= 0 && at < html.length) {
    if (html.startsWith('<!--', at)) {
      const end = html.indexOf('-->', at + 4)
      at = html.indexOf('<', end < 0 ? html.length : end + 3)
      continue
    }
    let place = at + 1
    if (!/[a-z]/i.test(html.charAt(place))) {
      at = html.indexOf('<', place)
      continue
    }
    while (place < html.length && isName(html.charAt(place))) place += 1
    while (place < html.length && html.charAt(place) !== '>') {
      const one = html.charAt(place)
      if (!isName(one)) {
        place += 1
        continue
      }
      const begin = place
      while (place < html.length && isName(html.charAt(place))) place += 1
      if (html.slice(begin, place).toLowerCase() === from) {
        out += html.slice(last, begin) + to
        last = place
      }
      while (/\s/.test(html.charAt(place))) place += 1
      if (html.charAt(place) !== '=') continue
      place += 1
      while (/\s/.test(html.charAt(place))) place += 1
      const quote = html.charAt(place)
      if (quote === '"' || quote === "'") {
        const end = html.indexOf(quote, place + 1)
        place = end < 0 ? html.length : end + 1
      } else while (place < html.length && !/[\s>]/.test(html.charAt(place))) place += 1
    }
    at = html.indexOf('<', place)
  }
  return out + html.slice(last)
}

export function hideStyles(html: string): string {
  return rename(html, 'style', 'data-style')
}

export function showStyles(html: string): string {
  return rename(html, 'data-style', 'style')
}

/** What HTML may set for itself; nothing that leaves its place or loads anything. */
const PROPERTIES = [
  'color', 'background-color', 'font-family', 'font-size', 'font-style', 'font-weight', 'font-variant', 'line-height', 'letter-spacing', 'text-align', 'text-decoration',
  'text-indent', 'text-transform', 'vertical-align', 'white-space', 'word-break', 'overflow-wrap', 'direction', 'unicode-bidi', 'width', 'max-width', 'min-width', 'height', 'max-height',
  'margin-top', 'margin-right', 'margin-bottom', 'margin-left', 'padding-top', 'padding-right', 'padding-bottom', 'padding-left',
  ...['top', 'right', 'bottom', 'left'].flatMap(side => [`border-${side}-width`, `border-${side}-style`, `border-${side}-color`]),
  'border-top-left-radius', 'border-top-right-radius', 'border-bottom-left-radius', 'border-bottom-right-radius', 'border-collapse', 'border-spacing', 'list-style-type', 'table-layout',
]
const DISPLAYS = /^(?:block|inline|inline-block|table|table-row|table-cell|list-item)$/
const LONGEST = 4000

/** Styles that are allowed, as pairs. */
export function readStyle(text: string): [string, string][] {
  const probe = document.createElement('span').style
  probe.cssText = text.slice(0, LONGEST)
  const found: [string, string][] = []
  for (const name of PROPERTIES) {
    const value = probe.getPropertyValue(name)
    if (value !== '' && !/url\(|image|attr\(|var\(|^-|expression/i.test(value)) found.push([name, value])
  }
  const display = probe.getPropertyValue('display')
  if (DISPLAYS.test(display)) found.push(['display', display])
  return found
}

/** Whether styles hide what has them, as the first lines for lists in newsletters. */
export function isHidden(text: string): boolean {
  return /display\s*:\s*none|visibility\s*:\s*hidden|mso-hide\s*:\s*all/i.test(text)
}

/** Gives every element the styles that its `data-style` has. */
export function applyStyles(root: ParentNode): void {
  for (const element of root.querySelectorAll<HTMLElement>('[data-style]')) {
    for (const [name, value] of readStyle(element.dataset['style'] ?? '')) element.style.setProperty(name, value)
    delete element.dataset['style']
  }
}
