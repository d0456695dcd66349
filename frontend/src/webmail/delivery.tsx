// What became of a message one sent: whom it has reached, for whom it is still on its way, and who refused it.

import { useEffect, useState } from 'preact/hooks'
import { call, reference } from '../api/jmap/client'
import type { EmailSubmission, Id } from '../api/jmap/types'
import { Badge, Icon } from '../kit'
import { submissionsTold } from './compose'
import { ignoreProblem, isOffline } from './model'

/** Messages that the server tries to deliver for longer than this are worth a word. */
const LATE_MS = 2 * 60_000
/** For so long it tries at most. */
const TRIED_MS = 7 * 86_400_000

/** Submissions of which somebody has nothing yet, though it is time. */
export async function lateSubmissions(): Promise<EmailSubmission[]> {
  const since = new Date(Date.now() - TRIED_MS).toISOString().replace(/\.\d+/, '')
  const query = call('EmailSubmission/query', { filter: { undoStatus: 'final', after: since }, sort: [{ property: 'sentAt', isAscending: false }], limit: 100 })
  const found = call('EmailSubmission/get', { '#ids': reference(query, '/ids') })
  query.catch(() => undefined)
  const { list } = await found
  return list.filter(one => isLate(one, Date.now()))
}

export function isLate({ undoStatus, sendAt, deliveryStatus }: Pick<EmailSubmission, 'undoStatus' | 'sendAt' | 'deliveryStatus'>, now: number): boolean {
  return undoStatus === 'final' && now - Date.parse(sendAt) > LATE_MS && Object.values(deliveryStatus ?? {}).some(({ delivered }) => delivered === 'queued')
}

export interface Delivered { email: string, how: 'yes' | 'no' | 'queued' | 'unknown', reply: string }

/** Of all submissions of a message: of the latest to each recipient. */
export function deliveries(all: readonly Pick<EmailSubmission, 'sendAt' | 'undoStatus' | 'deliveryStatus'>[]): Delivered[] {
  const found = new Map<string, Delivered>()
  for (const one of [...all].sort((a, b) => a.sendAt.localeCompare(b.sendAt))) {
    if (one.undoStatus === 'canceled') continue
    for (const [email, { delivered, smtpReply }] of Object.entries(one.deliveryStatus ?? {})) found.set(email, { email, how: delivered, reply: smtpReply })
  }
  return [...found.values()]
}

const WORDS = { yes: 'Delivered', no: 'Not delivered', queued: 'On its way', unknown: 'Handed to their server' } as const
const STATES = { yes: 'good', no: 'bad', queued: 'warn', unknown: 'plain' } as const

/** The worst of all. */
export function summary(all: readonly Delivered[]): Delivered['how'] {
  return (['no', 'queued', 'unknown'] as const).find(how => all.some(one => one.how === how)) ?? 'yes'
}

export function Delivery({ id }: { id: Id }) {
  const [all, setAll] = useState<readonly Delivered[]>([]), [isOpen, setOpen] = useState(false), turn = submissionsTold.value, isAway = isOffline.value
  useEffect(() => {
    if (isAway) return
    let left = false
    const query = call('EmailSubmission/query', { filter: { emailIds: [id] }, limit: 20 })
    const found = call('EmailSubmission/get', { '#ids': reference(query, '/ids') })
    query.catch(() => undefined)
    found.then(({ list }) => { if (!left) setAll(deliveries(list)) }, ignoreProblem)
    return () => { left = true }
  }, [id, turn, isAway])
  if (all.length === 0) return null
  const worst = summary(all), number = all.filter(one => one.how === worst).length
  return <div class="delivery">
    <Badge state={STATES[worst]}><button type="button" class="bare" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
      {WORDS[worst]}{all.length > 1 && ` ${number} of ${all.length}`} <Icon name={isOpen ? 'up' : 'down'} size={12} />
    </button></Badge>
    {isOpen && <Recipients all={all} />}
  </div>
}

export function Recipients({ all }: { all: readonly Delivered[] }) {
  return <ul aria-label="Recipients">{all.map(({ email, how, reply }) => <li key={email}>
    <span class="wrap">{email}</span>: {WORDS[how]}{reply !== '' && <span class="muted small wrap"> {reply}</span>}
  </li>)}</ul>
}
