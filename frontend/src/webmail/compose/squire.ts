// The editor: Squire, made for mail by its maintainers, within what our pages' policy allows: styles are set by script.

import Squire from 'squire-rte'
import { COLOURS, sanitise, SIZES, exported, type Images } from './html'
import { applyStyles, hideStyles } from './markup'
import { htmlToText } from './text'

/** Memory for taking back, where a text is long. */
const LONG = 200_000, STEPS = 30

export type Inline = 'B' | 'I' | 'U' | 'S'
export type Block = 'UL' | 'OL' | 'BLOCKQUOTE'

export class Editor extends Squire {
  constructor(root: HTMLElement, images: Images, failed: (error: unknown) => void) {
    const config: ConstructorParameters<typeof Squire>[1] = {
      sanitizeToDOMFragment: html => sanitise(html, images), toPlainText: htmlToText, willCutCopy: exported, didError: failed,
      undo: { documentSizeThreshold: LONG, undoLimit: STEPS },
    }
    super(root, config)
    // Its handles for images are styled by markup.
    this._imageResizer.destroy()
    // Code in a proportional mail is seldom meant; Ctrl D is the browser's.
    for (const key of ['Ctrl-d', 'Meta-d']) this.setKeyHandler(key, null)
  }

  /** What undo and redo put back. */
  override _setRawHTML(html: string): Squire {
    super._setRawHTML(hideStyles(html))
    applyStyles(this._root)
    return this
  }

  toggle(tag: Inline): void {
    if (this.hasFormat(tag)) this.changeFormat(null, { tag })
    else this.changeFormat({ tag }, tag === 'S' ? { tag: 'DEL' } : null)
  }

  toggleBlock(tag: Block): void {
    const within = this.hasFormat(tag)
    switch (tag) {
      case 'UL': if (within) this.removeList(); else this.makeUnorderedList(); break
      case 'OL': if (within) this.removeList(); else this.makeOrderedList(); break
      case 'BLOCKQUOTE': if (within) this.decreaseQuoteLevel(); else this.increaseQuoteLevel()
    }
  }

  /** One of COLOURS, or none. */
  colour(name: string | null): void {
    this.choose('data-colour', name === null ? null : `colour-${name}`)
  }

  /** One of SIZES, or none. */
  size(name: string | null): void {
    this.choose('data-size', name === null ? null : `size-${name}`)
  }

  private choose(attribute: string, name: string | null): void {
    this.changeFormat(name === null ? null : { tag: 'SPAN', attributes: { class: name, [attribute]: '' } }, { tag: 'SPAN', attributes: { [attribute]: '' } })
  }

  /** The place where one goes on writing, if one is marked. */
  toCursor(): void {
    const place = this._root.querySelector<HTMLElement>('[data-cursor]')
    if (!place) {
      this.moveCursorToStart()
      return
    }
    delete place.dataset['cursor']
    const range = document.createRange()
    range.setStart(place, 0)
    range.collapse(true)
    this.setSelection(range)
  }
}

export { COLOURS, SIZES, exported }
