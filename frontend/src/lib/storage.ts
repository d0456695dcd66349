// Small things this browser remembers. Private windows may have no storage: then they last as long as the page.

const kept = new Map<string, string>()

export function recall(name: string): string | null {
  try {
    return localStorage.getItem(`moxpy.${name}`) ?? kept.get(name) ?? null
  } catch {
    return kept.get(name) ?? null
  }
}

/** `null` forgets. */
export function remember(name: string, value: string | null): void {
  if (value === null) kept.delete(name)
  else kept.set(name, value)
  try {
    if (value === null) localStorage.removeItem(`moxpy.${name}`)
    else localStorage.setItem(`moxpy.${name}`, value)
  } catch {
    // No storage: the map has it.
  }
}
