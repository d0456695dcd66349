// People's names and addresses as lists and messages show them; what may deceive is underlined.

import type { ComponentChildren } from 'preact'
import type { EmailAddress } from '../api/jmap/types'
import { mixedScripts, runs } from '../lib/scripts'
import { own } from './model'

/** Text whose words of several scripts are underlined: а and a look alike. */
export function Plain({ text }: { text: string }) {
  if (/^[\p{ASCII}]*$/u.test(text)) return <>{text}</>
  return <>{text.split(/(\s+)/).map((word, index) => mixedScripts(word)
    ? <span key={index} class="mixed" title={`Letters of several scripts: ${runs(word).map(([script, part]) => `${part} (${script})`).join(', ')}. They may be there to look like others.`}>{word}</span>
    : word)}</>
}

export function nameOfPerson({ name, email }: EmailAddress): string {
  return own.value.has(email.toLowerCase()) ? 'me' : name?.trim() || email
}

/** For a list of several: the first name, or what stands before the @. */
export function shortName(person: EmailAddress): string {
  const name = nameOfPerson(person)
  if (name === 'me') return name
  if (name === person.email) return name.split('@')[0] ?? name
  return name.includes(',') ? name : name.split(/\s+/)[0] ?? name
}

/** An address in full, by which one can see that a name says something else. */
export function full({ name, email }: EmailAddress): string {
  return name?.trim() ? `${name.trim()} <${email}>` : email
}

/** Two letters and a colour of one's own, to find people again by. */
export function Avatar({ person, children }: { person: EmailAddress | undefined, children?: ComponentChildren }) {
  const name = person?.name?.trim() || person?.email || '?'
  const words = name.replace(/["'()<>[\]]/g, ' ').trim().split(/[\s@._-]+/).filter(word => word !== '')
  const first = [...(words[0] ?? '?')][0] ?? '?'
  // Signs of scripts without capitals are wide, or join: one says enough.
  const letters = first.concat(person?.name && words.length > 1 && first.toLowerCase() !== first.toUpperCase() ? [...(words.at(-1) ?? '')][0] ?? '' : '')
  return <span class={`avatar hue${hue(person?.email.toLowerCase() ?? '')}`} aria-hidden="true"><span>{letters.toUpperCase()}</span>{children}</span>
}

function hue(text: string): number {
  let sum = 7
  for (const sign of text) sum = (sum * 31 + (sign.codePointAt(0) ?? 0)) % 9973
  return sum % 8
}
