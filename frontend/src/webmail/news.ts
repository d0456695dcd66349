// New mail while one looks elsewhere: a notification, where people allowed that.

import { call } from '../api/jmap/client'
import { HEAD, type EmailHead } from '../api/jmap/types'
import { effect, untracked } from '@preact/signals'
import { byRole, ignoreProblem, keep, mailboxes, nameOf } from './model'
import { nameOfPerson } from './names'
import { go } from './place'

export function startNews(): void {
  let before = -1
  effect(() => {
    void mailboxes.value
    const inbox = byRole('inbox')
    if (!inbox) return
    const now = inbox.unreadEmails, more = before >= 0 ? now - before : 0
    before = now
    if (more > 0) untracked(() => { void tell(more) })
  })
}

async function tell(number: number): Promise<void> {
  const inbox = byRole('inbox')
  if (!inbox || !document.hidden || !('Notification' in window) || Notification.permission !== 'granted') return
  try {
    const found = await call('Email/query', { filter: { operator: 'AND', conditions: [{ inMailbox: inbox.id }, { notKeyword: '$seen' }] }, sort: [{ property: 'receivedAt', isAscending: false }], limit: 1 })
    const [id] = found.ids
    if (id === undefined) return
    const { list: [head] } = await call('Email/get', { ids: [id], properties: HEAD })
    if (!head) return
    keep([head])
    const { from, subject, preview } = head as unknown as EmailHead
    const shown = new Notification(number === 1 && from?.[0] ? nameOfPerson(from[0]) : `${number} new messages`, { body: number === 1 ? `${subject ?? ''}\n${preview}` : subject ?? '', tag: 'moxpy-mail' })
    shown.onclick = () => {
      window.focus()
      go({ mailbox: nameOf(inbox), search: null, email: id })
      shown.close()
    }
  } catch (error) {
    ignoreProblem(error)
  }
}
