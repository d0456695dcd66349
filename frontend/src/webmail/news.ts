// New mail while one looks elsewhere: a notification, where people wanted that, and the number of unread ones in the sign of
// the tab.

import { effect, signal, untracked } from '@preact/signals'
import { call } from '../api/jmap/client'
import { HEAD, type EmailHead, type Mailbox } from '../api/jmap/types'
import { toast } from '../kit'
import { recall, remember } from '../lib/storage'
import { byRole, ignoreProblem, keep, mailboxes, nameOf } from './model'
import { nameOfPerson } from './names'
import { go, placeHref } from './place'
import { startAnsweringPush, startPush, stopPush } from './push'

const NOTIFY = 'webmail.notify'

/** Whether new mail is told by the system. */
export const isNotifying = signal(recall(NOTIFY) === 'on' && mayNotify() === 'granted')

/** What the browser allows; `none` where it cannot. */
export function mayNotify(): NotificationPermission | 'none' {
  return typeof Notification === 'undefined' || !isSecureContext ? 'none' : Notification.permission
}

/** Tells of new mail from now on, or no longer. Called by a click, since browsers ask their user only then. Whether it is on. */
export async function notify(on: boolean): Promise<boolean> {
  const allowed = on && await Notification.requestPermission() === 'granted'
  if (on && !allowed) toast('The browser does not allow notifications of this page.', 'warn')
  remember(NOTIFY, allowed ? 'on' : null)
  isNotifying.value = allowed
  // Not all push services can be reached from everywhere: while the page is open, it tells of it itself.
  await (allowed ? startPush() : stopPush()).catch(() => undefined)
  return allowed
}

/** How many messages are new between two moments: what is only marked as unread again is not. */
export function fresh(before: Pick<Mailbox, 'totalEmails' | 'unreadEmails'>, now: Pick<Mailbox, 'totalEmails' | 'unreadEmails'>): number {
  return Math.max(0, Math.min(now.totalEmails - before.totalEmails, now.unreadEmails - before.unreadEmails))
}

export function startNews(): void {
  let before: Mailbox | undefined
  startAnsweringPush()
  effect(() => {
    void mailboxes.value
    const now = byRole('inbox')
    if (!now) return
    // A new login needs a subscription of its own.
    if (before === undefined && isNotifying.peek()) untracked(() => { startPush().catch(() => undefined) })
    const number = before?.id === now.id ? fresh(before, now) : 0
    before = now
    showNumber(now.unreadEmails)
    if (number > 0) untracked(() => { void tell(number, now) })
  })
}

async function tell(number: number, inbox: Mailbox): Promise<void> {
  if (!document.hidden || !isNotifying.peek() || mayNotify() !== 'granted') return
  try {
    const found = await call('Email/query', { filter: { operator: 'AND', conditions: [{ inMailbox: inbox.id }, { notKeyword: '$seen' }] }, sort: [{ property: 'receivedAt', isAscending: false }], limit: 1 })
    const [id] = found.ids
    if (id === undefined) return
    const { list: [head] } = await call('Email/get', { ids: [id], properties: HEAD })
    if (!head) return
    keep([head])
    const { from, subject, preview } = head as unknown as EmailHead, place = { mailbox: nameOf(inbox), search: null, email: id }
    const title = number === 1 && from?.[0] ? nameOfPerson(from[0]) : `${number} new messages`
    const options = { body: number === 1 ? `${subject ?? ''}\n${preview}` : subject ?? '', tag: 'moxpy-mail', icon: 'static/icon-192.png', data: placeHref(place) }
    await show(title, options, () => {
      window.focus()
      go(place)
    })
  } catch (error) {
    ignoreProblem(error)
  }
}

/** By the worker, where there is one: what it was told itself replaces this, and it hears of the touch. */
async function show(title: string, options: NotificationOptions, opened: () => void): Promise<void> {
  const worker = 'serviceWorker' in navigator ? await navigator.serviceWorker.getRegistration() : undefined
  if (worker?.active) return worker.showNotification(title, options)
  const shown = new Notification(title, options)
  shown.onclick = () => {
    opened()
    shown.close()
  }
}

let shownNumber = -1

/** In the sign of the tab; in that of the program, where the page is installed as one. */
function showNumber(number: number): void {
  const link = document.querySelector<HTMLLinkElement>('link[rel="icon"]'), plain = link?.dataset['plain'] ?? link?.href
  if (!link || plain === undefined || number === shownNumber) return
  shownNumber = number
  link.dataset['plain'] = plain
  link.href = number > 0 ? `data:image/svg+xml,${encodeURIComponent(badged(number))}` : plain
  if ('setAppBadge' in navigator) navigator.setAppBadge(number).catch(() => undefined)
}

/** Our sign with a number. */
export function badged(number: number): string {
  const text = number > 99 ? '99+' : String(number), wide = 10 + 6 * text.length
  return '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="#3156d3"/>' +
    '<path d="M7 20V9l9 7 9-7v11" fill="none" stroke="#fff" stroke-width="3" stroke-linecap="round" stroke-linejoin="round"/>' +
    `<rect x="${32 - wide}" y="15" width="${wide}" height="17" rx="6" fill="#d3312f" stroke="#fff" stroke-width="1"/>` +
    `<text x="${32 - wide / 2}" y="28.5" font-family="sans-serif" font-size="13" font-weight="700" text-anchor="middle" fill="#fff">${text}</text></svg>`
}
