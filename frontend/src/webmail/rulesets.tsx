// Rules that follow from what is done to messages: after one was moved, whether later ones like it should come there by
// themselves; and a rule made from a message. Both become rules of the address the message was sent to.

import { render } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { call } from '../api/jmap/client'
import type { Email, Id, Mailbox, Ruleset, RulesetSuggestion } from '../api/jmap/types'
import { Actions, attempt, Button, Checkbox, Dialog, Field, Form, Icon, Select, TextField, toast, useForm } from '../kit'
import { ApiError, explain } from '../lib/problem'
import { listIdOf, rulesetOf, type RuleChoice } from './rules'
import { mailboxes } from './model'
import './rulesets.css'

let place: HTMLElement | null = null

/** Shows it over the page, or takes away what was shown. */
function show(content: preact.ComponentChildren): void {
  if (!place) {
    place = document.createElement('div')
    document.body.append(place)
  }
  render(content, place)
}
const hide = () => show(null)

export function fullName(mailbox: Mailbox): string {
  const parent = mailboxes.peek().find(one => one.id === mailbox.parentId)
  return parent ? `${fullName(parent)}/${mailbox.name}` : mailbox.name
}

function nameOf(id: Id): string {
  const found = mailboxes.peek().find(one => one.id === id)
  return found ? fullName(found) : 'there'
}

/** After messages were moved: asks whether it should be so from now on. Says nothing when there is nothing to suggest. */
export async function suggestRuleset(emailIds: readonly Id[], from: Id, to: Id): Promise<void> {
  const [first] = emailIds
  if (first === undefined) return
  try {
    const { suggestion } = await call('Ruleset/suggest', { emailId: first, fromMailboxId: from, toMailboxId: to })
    if (suggestion) show(<Suggestion key={`${first} ${to}`} suggestion={suggestion} from={from} to={to} />)
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
  }
}

const STAYS_MS = 60_000

function Suggestion({ suggestion, from, to }: { suggestion: RulesetSuggestion, from: Id, to: Id }) {
  const { listId, from: sender, isRemove, recipient, ruleset } = suggestion
  const inbox = mailboxes.value.find(one => one.role === 'inbox')
  const who = listId !== '' ? <>the list <b>{listId}</b></> : <b>{sender}</b>
  useEffect(() => {
    const timer = setTimeout(hide, STAYS_MS)
    return () => clearTimeout(timer)
  }, [])
  const answer = (run: () => Promise<unknown>, success: string) => async () => { if (await attempt(run, success)) hide() }
  const toInbox = to === inbox?.id
  return <section class="rulequestion" role="dialog" aria-label="A rule for such messages" onKeyDown={event => {
    if (event.key !== 'Escape') return
    event.stopPropagation()
    hide()
  }}>
    <Icon name="route" />
    <div>
      <p>{isRemove ? <>Remove the rule that brings mail of {who} to <b>{nameOf(from)}</b>?</> : <>Always deliver mail of {who} to <b>{nameOf(to)}</b>?</>}</p>
      <div class="row">
        <Button small tone="primary" onPress={isRemove ? answer(() => call('Ruleset/remove', { recipient, ruleset }), 'Rule removed') : answer(() => call('Ruleset/add', { recipient, ruleset }), 'Rule added')}>{isRemove ? 'Remove rule' : 'Always'}</Button>
        <Button small onPress={hide}>Not now</Button>
        <Button small tone="quiet" onPress={answer(() => call('Ruleset/never', { recipient, ...(listId !== '' ? { listId } : { from: sender }), toInbox }), 'It will not be asked again')}>
          Never for this {listId !== '' ? 'list' : 'sender'}</Button>
        <Button small tone="quiet" onPress={answer(() => call('Ruleset/neverMailbox', { mailboxId: toInbox ? from : to, toMailbox: !toInbox }), 'It will not be asked again')}>
          Never for {nameOf(toInbox ? from : to)}</Button>
      </div>
    </div>
    <Button tone="quiet" small square icon="cross" onPress={hide}>Close</Button>
  </section>
}

/** Makes a rule from a message. */
export async function openRule(emailId: Id): Promise<void> {
  try {
    const { list: [email] } = await call('Email/get', { ids: [emailId], properties: ['id', 'from', 'subject', 'to', 'cc', 'origin', 'mailboxIds', 'header:List-Id:asText'] })
    if (!email) throw new ApiError('notFound', 'the message is no longer there')
    show(<RuleDialog email={email as Partial<Email>} listId={listIdOf(email['header:List-Id:asText'] as string | null)} />)
  } catch (error) {
    toast(explain(error), 'bad')
  }
}

/** No mailbox has such a name. */
const NEW = '/'

interface Values extends RuleChoice { mailbox: string }

function RuleDialog({ email, listId }: { email: Partial<Email>, listId: string }) {
  const sender = email.from?.[0]?.email ?? '', recipient = email.origin?.rcptTo || email.to?.[0]?.email || ''
  const names = mailboxes.value.map(fullName), [here] = Object.keys(email.mailboxIds ?? {})
  const [whole, setWhole] = useState(false)
  const form = useForm<Values>({
    kind: listId !== '' ? 'list' : 'sender', sender, domain: sender.split('@').at(-1) ?? '', listId, subject: (email.subject ?? '').trim(), withSubject: false, // One that stays in the Inbox needs no rule.
    mailbox: here && mailboxes.peek().find(one => one.id === here)?.role !== 'inbox' ? nameOf(here) : '',
  }, {
    success: 'Rule added',
    check: values => ({
      ...(values.withSubject && values.subject.trim() === '' ? { subject: 'Words of the subject' } : {}),
      ...(values.mailbox.trim() === '' ? { mailbox: 'Where it should go' } : {}),
    }),
    save: async values => {
      const ruleset: Ruleset = rulesetOf(values, values.mailbox.trim(), new Date())
      await call('Ruleset/add', { recipient, ruleset })
    },
    done: hide,
  })
  const values = form.values.value
  return <Dialog title="Rule from this message" onClose={hide}>
    <Form model={form} bar={false}>
      <p class="muted">For mail to <b>{recipient}</b>, as it comes in.</p>
      <Select label="Messages" bind={form.field('kind')} choices={[
        ...(listId === '' ? [] : [{ value: 'list', label: `of the list ${listId}` } as const]),
        { value: 'sender', label: `from ${sender}` }, { value: 'domain', label: `from anybody of ${values.domain}` },
      ]} />
      <Checkbox label="Only with this in the subject" bind={form.field('withSubject')} />
      {values.withSubject && <TextField label="Words of the subject" bind={form.field('subject')} />}
      {whole ? <TextField label="Deliver to" bind={form.field('mailbox')} help="It is made when it is not there." />
        : <Field label="Deliver to" error={form.field('mailbox').error}>{attributes => <select class="input" {...attributes} value={values.mailbox} onChange={event => {
          const { value } = event.currentTarget
          if (value === NEW) setWhole(true)
          form.field('mailbox').set(value === NEW ? '' : value)
        }}>
          <option value="" hidden>Choose a mailbox</option>
          {names.map(one => <option key={one} value={one} selected={one === values.mailbox}>{one}</option>)}
          <option value={NEW}>A new mailbox…</option>
        </select>}</Field>}
      <Actions><Button onPress={hide}>Cancel</Button><Button type="submit" tone="primary" busy={form.busy.value}>Add rule</Button></Actions>
    </Form>
  </Dialog>
}
