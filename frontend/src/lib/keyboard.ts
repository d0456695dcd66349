// Keys that work anywhere in an application, and the walk by arrow keys within a group.

export interface Shortcut {
  /** As `KeyboardEvent.key`, with `ctrl+` before it where Ctrl or, on a Mac, Command is meant. */
  key: string
  what: string
  run: () => void
}

/** Whether keys are for a field one types in. */
export function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement &&
    (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
}

export function keyName(event: KeyboardEvent): string {
  return `${event.ctrlKey || event.metaKey ? 'ctrl+' : ''}${event.key}`
}

/** Listens until the returned function is called. Plain keys do nothing while somebody types. */
export function listen(shortcuts: readonly Shortcut[]): () => void {
  const pressed = (event: KeyboardEvent) => {
    if (event.altKey || event.defaultPrevented) return
    const name = keyName(event)
    const found = shortcuts.find(one => one.key === name)
    if (!found || (!name.startsWith('ctrl+') && isTyping(event.target))) return
    event.preventDefault()
    found.run()
  }
  document.addEventListener('keydown', pressed)
  return () => document.removeEventListener('keydown', pressed)
}

/** The place an arrow key, Home or End leads to among `length`; null for other keys. Ends lead round. */
export function step(key: string, from: number, length: number): number | null {
  switch (key) {
    case 'ArrowDown': case 'ArrowRight': return (from + 1) % length
    case 'ArrowUp': case 'ArrowLeft': return (from - 1 + length) % length
    case 'Home': return 0
    case 'End': return length - 1
    default: return null
  }
}
