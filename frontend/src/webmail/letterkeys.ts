// Who hears keys: the page, or a letter in a frame.
//
// A letter in HTML has an origin of its own and no scripts, so that a click in it takes all keys away from the page, and
// nobody here hears of them. So the keys come back as soon as the pointer leaves the letter, and when one comes back from
// another tab. Whoever went in by a key stays, since the pointer rests meanwhile; Tab and Shift Tab lead out.
//
// What was chosen in the letter stays so, but would be copied only while the letter has the keys: it gets them once more
// when Ctrl or Command is pressed, unless something else was done since.

import { signal } from '@preact/signals'
import { isTyping } from '../lib/keyboard'

/** The letter that has the keys, other than to copy something. */
export const letter = signal<HTMLIFrameElement | null>(null)

/** How far the pointer has to go before it counts as moved: a nudge at the table is none. */
const NUDGE = 4
/** How long a letter keeps the keys for what is done with Ctrl, when the pointer does not move. */
const COPY_MS = 1500

function focused(): HTMLIFrameElement | null {
  const one = document.activeElement
  return one instanceof HTMLIFrameElement && one.classList.contains('document') ? one : null
}

export function startLetterKeys(): void {
  /** Where something may have been chosen. */
  let left: HTMLIFrameElement | null = null, isCopying = false, way = 0, timer: ReturnType<typeof setTimeout> | undefined
  const back = () => {
    const one = focused()
    if (!one) return
    clearTimeout(timer)
    isCopying = false
    left = one
    const pane = document.getElementById('message')
    if (pane) pane.focus({ preventScroll: true })
    else one.blur()
  }
  const look = () => { letter.value = isCopying ? null : focused() }
  window.addEventListener('blur', () => {
    way = 0
    look()
  })
  window.addEventListener('focus', look)
  document.addEventListener('focusin', look)
  document.addEventListener('pointermove', event => {
    // With a button down something is being chosen; with Ctrl it is being copied.
    if (event.pointerType !== 'mouse' || event.buttons !== 0 || event.ctrlKey || event.metaKey || !focused()) return
    way += Math.abs(event.movementX) + Math.abs(event.movementY)
    if (way >= NUDGE) back()
  })
  document.addEventListener('visibilitychange', () => { if (!document.hidden) back() })
  document.addEventListener('pointerdown', () => { left = null })
  document.addEventListener('keydown', event => {
    const isAsked = (event.key === 'Control' || event.key === 'Meta') && !isTyping(event.target) && window.getSelection()?.isCollapsed !== false
    if (isAsked && left?.isConnected && !document.querySelector('dialog[open]')) {
      way = 0
      isCopying = true
      left.focus({ preventScroll: true })
      timer = setTimeout(back, COPY_MS)
    } else left = null
  }, true)
}
