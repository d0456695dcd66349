// What several pages show: the account, its aliases and mailboxes; fetched once, and again when something changes.

import * as api from '../api/account'
import { events, loginNeeded, noticeVersion } from '../api/wire'
import { resource, type Resource } from '../lib/resource'

export const account = resource(() => api.Account())
export const aliases = resource(() => api.Aliases())
export const mailboxes = resource(() => api.Mailboxes())
export const factor = resource(() => api.SecondFactor())

/** Fetches what nobody has fetched yet. */
export function need(...resources: readonly Resource<unknown>[]): void {
  for (const one of resources) if (one.data.peek() === undefined && !one.loading.peek()) void one.reload()
}

/** The addresses of the account, catch-alls last. */
export function addresses(config: api.Account): string[] {
  const order = (one: string) => `${one.startsWith('@') ? 1 : 0}${one.split('@').reverse().join('@')}`
  return Object.keys(config.Destinations).sort((a, b) => order(a).localeCompare(order(b)))
}

/** Those that one can log in with. */
export function loginAddresses(config: api.Account): string[] {
  return addresses(config).filter(one => !one.startsWith('@'))
}

/** Mailboxes as an event leaves them. */
export function applyMailbox(known: readonly api.Mailbox[], { MailboxID, Name, Messages, Unread, Size }: api.MailboxCounts): api.Mailbox[] {
  const now = (one?: api.Mailbox): api.Mailbox =>
    ({ ID: MailboxID, SpecialUse: one?.SpecialUse ?? [], Name, Messages, Unread, Size })
  return known.some(one => one.ID === MailboxID) ? known.map(one => one.ID === MailboxID ? now(one) : one) : [...known, now()]
}

/** Whether a stream has begun before: what was known then may be old. */
let wasAway = false

export function apply(kind: keyof api.Events, value: unknown): void {
  switch (kind) {
    case 'Started':
      noticeVersion((value as api.Started).Version)
      if (wasAway) for (const one of [account, aliases, mailboxes]) if (one.data.peek() !== undefined) void one.reload()
      wasAway = true
      break
    case 'ConfigChanged':
      for (const one of [account, aliases]) void one.reload()
      break
    case 'StorageChanged': {
      const known = account.data.peek()
      if (known) account.set({ ...known, StorageUsed: (value as api.StorageChanged).Used })
      break
    }
    case 'MailboxCounts': {
      const known = mailboxes.data.peek()
      if (known) mailboxes.set(applyMailbox(known, value as api.MailboxCounts))
      break
    }
    case 'MailboxRemoved': {
      const known = mailboxes.data.peek()
      if (known) mailboxes.set(known.filter(one => one.ID !== (value as api.MailboxRemoved).MailboxID))
      break
    }
    case 'ServerShutdown': break
    default: kind satisfies never
  }
}

/** Hears of changes while somebody is logged in. The stream belongs to a session, so it begins after the login. */
export function follow(): void {
  const listen = () => events(api.EVENT_KINDS, (kind, value) => { apply(kind as keyof api.Events, value) })
  void account.reload().then(() => {
    if (typeof EventSource === 'undefined') return
    let stop = listen()
    loginNeeded.subscribe(needed => {
      stop()
      if (!needed) stop = listen()
    })
  })
}
