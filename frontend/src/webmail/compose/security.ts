// How safely mail travels to each recipient, as the server finds by DNS and MTA-STS and has learned by delivering.

import { signal, type ReadonlySignal, type Signal } from '@preact/signals'
import { call } from '../../api/jmap/client'
import type { RecipientSecurity, SecurityAnswer } from '../../api/jmap/types'
import { canonical, flaw } from './addresses'

const known = new Map<string, Signal<RecipientSecurity | null>>()
let wanted: string[] = []
const MOST = 50
const NOTHING: Omit<RecipientSecurity, 'email'> = { starttls: 'error', mtasts: 'error', dnssec: 'error', dane: 'error', requireTLS: 'error' }

/** null until the server has answered. */
export function securityOf(email: string): ReadonlySignal<RecipientSecurity | null> {
  const key = canonical(email), found = known.get(key)
  if (found) return found
  const made = signal<RecipientSecurity | null>(null)
  known.set(key, made)
  if (flaw(email) === null) {
    if (wanted.length === 0) setTimeout(ask, 30)
    wanted.push(key)
  }
  return made
}

function ask(): void {
  const asked = wanted
  wanted = []
  for (let at = 0; at < asked.length; at += MOST) {
    const part = asked.slice(at, at + MOST)
    const put = (list: readonly RecipientSecurity[]) => {
      for (const key of part) {
        const place = known.get(key), found = list.find(one => canonical(one.email) === key)
        if (place) place.value = found ?? { email: key, ...NOTHING }
      }
    }
    void call('RecipientSecurity/get', { addresses: part }).then(({ list }) => put(list), () => put([]))
  }
}

export const SEGMENTS = [
  ['starttls', 'STARTTLS'], ['mtasts', 'MTA-STS'], ['dnssec', 'DNSSEC'], ['dane', 'DANE'], ['requireTLS', 'RequireTLS'],
] as const

const MEANINGS: Record<(typeof SEGMENTS)[number][0], Record<SecurityAnswer, string>> = {
  starttls: { yes: 'its server offered encryption', no: 'its server offered no encryption', unknown: 'not known, no mail went there lately', error: 'could not be looked up' },
  mtasts: { yes: 'its domain requires verified encryption', no: 'its domain has no policy', unknown: 'not known', error: 'could not be looked up' },
  dnssec: { yes: 'its DNS is signed', no: 'its DNS is not signed', unknown: 'not known', error: 'could not be looked up' },
  dane: { yes: 'the keys of its server stand in signed DNS', no: 'its server has no keys in DNS', unknown: 'not known', error: 'could not be looked up' },
  requireTLS: { yes: 'its server keeps to verified encryption when asked', no: 'its server cannot be asked for it', unknown: 'not known, no mail went there lately', error: 'could not be looked up' },
}

/** A line for each, for a tooltip. */
export function explained(one: RecipientSecurity): string {
  return SEGMENTS.map(([name, title]) => `${title}: ${one[name]}, ${MEANINGS[name][one[name]]}`).join('\n')
}

/** Whether verified TLS can be required for all of them, so that it may be chosen without being asked. */
export function canRequireTLS(all: readonly (RecipientSecurity | null)[]): boolean {
  return all.length > 0 && all.every(one => one !== null && one.requireTLS === 'yes' && (one.mtasts === 'yes' || one.dane === 'yes'))
}
