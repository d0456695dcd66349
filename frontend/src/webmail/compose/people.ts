// Whom one writes to: what was asked of the server is kept, and searched here while it is all there is.

import { call } from '../../api/jmap/client'
import type { Recipient } from '../../api/jmap/types'
import { canonical } from './addresses'

const MOST = 20

interface Known { text: string, list: readonly Recipient[], isComplete: boolean }
let known: Known[] = []

function fits({ name, email }: Recipient, text: string): boolean {
  return `${name} <${email}>`.toLowerCase().includes(text)
}

/** What is known without asking; null when the server has to be asked. */
export function suggestionsAtHand(typed: string): readonly Recipient[] | null {
  const text = typed.trim().toLowerCase()
  const exact = known.find(one => one.text === text)
  if (exact) return exact.list
  const whole = known.find(one => one.isComplete && text.includes(one.text))
  return whole ? whole.list.filter(one => fits(one, text)) : null
}

/** The latest first. Nothing when the server does not answer. */
export async function suggestions(typed: string): Promise<readonly Recipient[]> {
  const at = suggestionsAtHand(typed)
  if (at) return at
  const text = typed.trim().toLowerCase()
  try {
    const { list, isComplete } = await call('Recipient/query', { text, limit: MOST })
    known = [...known.slice(-50), { text, list, isComplete }]
    return list
  } catch {
    return []
  }
}

/** After sending there may be others. */
export function forgetSuggestions(): void {
  known = []
}

/** Domains one wrote to, as far as they are known here: they are meant as they are. */
export function knownDomains(): ReadonlySet<string> {
  return new Set(known.flatMap(one => one.list.map(({ email }) => canonical(email).split('@').at(-1) ?? '')))
}
