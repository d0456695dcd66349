// Scheduled: messages that wait on the server for their time. They can be sent now, taken back to be changed, or removed.
// And those that were sent, and have not reached everybody yet.

import { useState } from 'preact/hooks'
import { call, orThrow } from '../../api/jmap/client'
import type { Email, EmailSubmission, Id } from '../../api/jmap/types'
import { attempt, Button, confirm, Dialog, Empty, Loaded } from '../../kit'
import { useResource } from '../../lib/resource'
import { lateCount, openCompose, refreshScheduled, scheduledCount, scheduledShown } from '../compose'
import { cancel, mailboxOf } from './composition'
import { deliveries, lateSubmissions, Recipients } from '../delivery'
import { longTime } from '../times'
import { spoken } from './schedule'
import './compose.css'

interface Waiting { submission: EmailSubmission, email: Partial<Email> | undefined }

async function all(): Promise<{ later: Waiting[], late: Waiting[] }> {
  const [later, late] = await Promise.all([waiting(), lateSubmissions().then(withEmails)])
  return { later, late }
}

async function waiting(): Promise<Waiting[]> {
  const { ids } = await call('EmailSubmission/query', { filter: { undoStatus: 'pending' }, sort: [{ property: 'sentAt', isAscending: true }], limit: 100 })
  if (ids.length === 0) return []
  const { list } = await call('EmailSubmission/get', { ids })
  return withEmails(list)
}

async function withEmails(list: readonly EmailSubmission[]): Promise<Waiting[]> {
  if (list.length === 0) return []
  const { list: emails } = await call('Email/get', { ids: [...new Set(list.map(one => one.emailId))], properties: ['id', 'subject', 'to', 'cc', 'bcc', 'preview'] })
  return list.map(submission => ({ submission, email: emails.find(one => one.id === submission.emailId) }))
    .sort((one, other) => one.submission.sendAt.localeCompare(other.submission.sendAt))
}

/** Whom it goes to, as it is shown in one line. */
function recipientsOf({ submission, email }: Waiting): string {
  const named = [...email?.to ?? [], ...email?.cc ?? [], ...email?.bcc ?? []].map(one => one.name || one.email)
  return (named.length > 0 ? named : (submission.envelope?.rcptTo ?? []).map(one => one.email)).join(', ')
}

export function Scheduled() {
  const list = useResource(all), [busy, setBusy] = useState<Id | null>(null)
  const close = () => { scheduledShown.value = false }
  const takeBack = async ({ submission }: Waiting): Promise<Id | null> =>
    cancel(submission.id, submission.emailId, await mailboxOf('drafts', 'Drafts'), await mailboxOf('sent', 'Sent'))
  const run = (one: Waiting, what: () => Promise<unknown>) => async () => {
    setBusy(one.submission.id)
    await attempt(what)
    setBusy(null)
    await Promise.all([list.reload(), refreshScheduled()])
  }
  const edit = (one: Waiting) => run(one, async () => {
    const id = await takeBack(one)
    if (id === null) return
    close()
    openCompose({ kind: 'draft', emailId: id })
  })
  const sendNow = (one: Waiting) => run(one, async () => {
    const id = await takeBack(one), drafts = await mailboxOf('drafts', 'Drafts'), sent = await mailboxOf('sent', 'Sent')
    if (id === null) return
    const { identityId, envelope } = one.submission
    const kept = Object.fromEntries(Object.entries(envelope?.mailFrom.parameters ?? {}).filter(([name]) => !/^HOLD(?:FOR|UNTIL)$/i.test(name)))
    orThrow(await call('EmailSubmission/set', {
      create: { again: { identityId, emailId: id, ...(envelope ? { envelope: { rcptTo: envelope.rcptTo, mailFrom: { email: envelope.mailFrom.email, parameters: Object.keys(kept).length > 0 ? kept : null } } } : {}) } },
      onSuccessUpdateEmail: { '#again': { [`mailboxIds/${drafts.id}`]: null, [`mailboxIds/${sent.id}`]: true, 'keywords/$draft': null } },
    }))
  })
  const remove = (one: Waiting) => async () => {
    if (!await confirm({ title: 'Do not send it?', action: 'Keep as draft', harmless: true, consequences: ['It stays in Drafts and is not sent.'] })) return
    await run(one, () => takeBack(one))()
  }
  // Whichever there is; both where there are both.
  const isLate = lateCount.value > 0 && scheduledCount.value === 0
  return <Dialog title={isLate ? 'Not yet delivered' : 'To be sent later'} wide onClose={close}>
    <Loaded of={list}>{({ later, late }) => <>
    {late.length > 0 && <section>
      {!isLate && <h3>Not yet delivered</h3>}
      <p class="muted small">The server goes on trying. Should it give up, a message says so.</p>
      <ul class="scheduled">{late.map(one => <li key={one.submission.id}><div class="delivery">
        <span class="strong wrap">{one.email?.subject || '(no subject)'}</span>
        <Recipients all={deliveries([one.submission]).filter(({ how }) => how === 'queued')} />
      </div><div class="when"><time dateTime={one.submission.sendAt}>{longTime(new Date(one.submission.sendAt))}</time></div></li>)}</ul>
    </section>}
    {later.length === 0 ? late.length === 0 && <Empty icon="clock">Nothing waits to be sent.</Empty> : <ul class="scheduled">{later.map(one => {
      const at = new Date(one.submission.sendAt), working = busy === one.submission.id
      return <li key={one.submission.id}>
        <div>
          <span class="strong wrap">{one.email?.subject || '(no subject)'}</span>
          <span class="wrap">{recipientsOf(one)}</span>
          <span class="muted small">{one.email?.preview}</span>
        </div>
        <div class="when"><time dateTime={one.submission.sendAt}>{spoken(at, new Date())}</time>
          <span class="row">
            <Button small icon="edit" busy={working} onPress={edit(one)}>Edit</Button>
            <Button small icon="send" busy={working} onPress={sendNow(one)}>Send now</Button>
            <Button small tone="danger" busy={working} onPress={remove(one)}>Do not send</Button>
          </span></div>
      </li>
    })}</ul>}
    </>}</Loaded>
  </Dialog>
}
