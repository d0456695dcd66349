// What several pages show: the account, its aliases and mailboxes; fetched once, and again when something changes.

import * as api from '../api/account'
import { events, loginNeeded } from '../api/wire'
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

export function apply<K extends keyof api.Events>(kind: K | 'reopened', value: unknown): void {
  switch (kind) {
    case 'reopened':
    case 'ConfigChanged':
      for (const one of [account, aliases]) void one.reload()
      break
    case 'StorageChanged': {
      const known = account.data.peek()
      if (known) account.set({ ...known, StorageUsed: (value as api.StorageChanged).Used })
      break
    }
    case 'MailboxCounts':
      if (mailboxes.data.peek()) mailboxes.set(applyMailbox(mailboxes.data.peek() ?? [], value as api.MailboxCounts))
      break
    case 'MailboxRemoved':
      if (mailboxes.data.peek()) mailboxes.set((mailboxes.data.peek() ?? []).filter(one => one.ID !== (value as api.MailboxRemoved).MailboxID))
      break
    case 'Started':
    case 'ServerShutdown': break
    default: kind satisfies never
  }
}

/** Hears of changes while somebody is logged in. */
export function follow(): void {
  let stop: (() => void) | null = null
  loginNeeded.subscribe(needed => {
    stop?.()
    stop = null
    // The first call finds out whether there is a session.
    if (!needed) void account.reload().then(() => {
      if (!loginNeeded.peek() && account.error.peek() === undefined && !stop) stop = events(api.EVENT_KINDS, (kind, value) => { apply(kind as keyof api.Events, value) })
    })
  })
}
