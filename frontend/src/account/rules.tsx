// The rules of an address: in order, edited one at a time, tried on mail that came already.

import { useState } from 'preact/hooks'
import * as api from '../api/account'
import { Actions, Badge, Button, Card, Checkbox, Dialog, Empty, Field, Fields, Form, Notice, Table, TextField, Time, attempt, confirm, useForm, type Bound } from '../kit'
import { plural } from '../lib/format'
import { ApiError, explain } from '../lib/problem'
import { saveDestination, type PartProps } from './address'
import { need, mailboxes } from './model'
import { MailboxField } from './parts'

const EMPTY: api.Ruleset = {
  SMTPMailFromRegexp: null, MsgFromRegexp: null, VerifiedDomain: null, HeadersRegexp: {}, IsForward: false, ListAllowDomain: null, AcceptRejectsToMailbox: null, Mailbox: null, Comment: '',
}

/** The conditions of a rule in words and expressions. */
export function conditions(one: api.Ruleset): (readonly [string, string])[] {
  return [
    ...(one.MsgFromRegexp ? [['From', one.MsgFromRegexp] as const] : []),
    ...(one.SMTPMailFromRegexp ? [['Sender', one.SMTPMailFromRegexp] as const] : []),
    ...(one.VerifiedDomain ? [['Verified', one.VerifiedDomain] as const] : []),
    ...Object.entries(one.HeadersRegexp).map(([name, value]) => [`Field ${name}`, value] as const),
  ]
}

/** An expression that an address, or any of a domain, matches. */
export function escapeRegexp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}

export function Rules({ address, destination }: PartProps) {
  const [edited, setEdited] = useState<{ at: number | null, rule: api.Ruleset, old: api.Destination } | null>(null)
  const rules = destination.Rulesets
  const save = (next: api.Ruleset[], success: string) => attempt(() => saveDestination(address, destination, { Rulesets: next }), success)
  const move = (at: number, by: number) => {
    const next = [...rules], [one] = next.splice(at, 1)
    if (one) next.splice(at + by, 0, one)
    return save(next, 'Moved')
  }
  const remove = async (at: number) => {
    if (await confirm({ title: 'Remove this rule?', action: 'Remove rule', consequences: ['Mail that came by it stays where it is.'] })) await save(rules.filter((_, other) => other !== at), 'Rule removed')
  }
  return <Card title="Rules" about="For mail as it comes in. The first that matches is used." flush
    actions={<Button icon="plus" onPress={() => setEdited({ at: null, rule: EMPTY, old: destination })}>Add rule</Button>}>
    {rules.length === 0 ? <Empty icon="filter">No rules: all mail goes to {destination.Mailbox ?? 'Inbox'}.</Empty> :
      <Table caption="rules" rows={rules.map((rule, at) => ({ rule, at }))} id={row => String(row.at)} onOpen={({ rule, at }) => setEdited({ at, rule, old: destination })} columns={[
        { id: 'when', title: 'When', cell: ({ rule }) => <span class="conditions">{conditions(rule).map(([name, value]) => <span key={name}><span class="muted">{name}</span> <code>{value}</code></span>)}</span>, wide: true },
        { id: 'to', title: 'Into', cell: ({ rule }) => rule.Mailbox ?? <span class="muted">{destination.Mailbox ?? 'Inbox'}</span> },
        { id: 'also', title: 'And', cell: ({ rule }) => <span class="row">
          {rule.ListAllowDomain && <Badge title={`When ${rule.ListAllowDomain} is verified`}>mailing list</Badge>}{rule.IsForward && <Badge>forwarded to us</Badge>}{rule.AcceptRejectsToMailbox && <Badge>refused mail to {rule.AcceptRejectsToMailbox}</Badge>}
        </span>, blank: ({ rule }) => !rule.ListAllowDomain && !rule.IsForward && !rule.AcceptRejectsToMailbox },
        { id: 'comment', title: 'Comment', cell: ({ rule }) => rule.Comment, blank: ({ rule }) => rule.Comment === '' },
      ]} actions={({ at }) => <>
        <Button tone="quiet" small square icon="up" disabled={at === 0} onPress={() => move(at, -1)}>Move up</Button>
        <Button tone="quiet" small square icon="down" disabled={at === rules.length - 1} onPress={() => move(at, 1)}>Move down</Button>
        <Button tone="quiet" small square icon="trash" onPress={() => remove(at)}>Remove rule</Button>
      </>} />}
    {edited && <RuleDialog isNew={edited.at === null} rule={edited.rule} fallback={destination.Mailbox ?? 'Inbox'} onClose={() => setEdited(null)}
      onSave={rule => saveDestination(address, edited.old, { Rulesets: edited.at === null ? [...edited.old.Rulesets, rule] : edited.old.Rulesets.map((one, at) => at === edited.at ? rule : one) })} />}
  </Card>
}

const LABELS: Record<string, string> = {
  MsgFromRegexp: 'From matches', SMTPMailFromRegexp: 'SMTP sender matches', VerifiedDomain: 'Verified domain', HeadersRegexp: 'Header fields', Mailbox: 'Deliver to', ListAllowDomain: 'Mailing list of', AcceptRejectsToMailbox: 'Accept what would be refused, into',
}

/** What is wrong with a rule, by the label of its field. */
export function named(error: unknown): unknown {
  if (!(error instanceof ApiError)) return error
  const [, field = '', text = ''] = /(?:Rulesets\[\d+\]|Ruleset)\.(\w+)(?:\[\S*?\])*: (.*)$/s.exec(error.message) ?? []
  const label = LABELS[field]
  return label ? new ApiError(error.code, `${label}: ${text}`) : error
}

interface Edited {
  MsgFromRegexp: string
  SMTPMailFromRegexp: string
  VerifiedDomain: string
  headers: [string, string][]
  Mailbox: string
  ListAllowDomain: string
  IsForward: boolean
  AcceptRejectsToMailbox: string
  Comment: string
}

function edit(rule: api.Ruleset): Edited {
  return {
    MsgFromRegexp: rule.MsgFromRegexp ?? '', SMTPMailFromRegexp: rule.SMTPMailFromRegexp ?? '', VerifiedDomain: rule.VerifiedDomain ?? '', headers: Object.entries(rule.HeadersRegexp),
    Mailbox: rule.Mailbox ?? '', ListAllowDomain: rule.ListAllowDomain ?? '', IsForward: rule.IsForward, AcceptRejectsToMailbox: rule.AcceptRejectsToMailbox ?? '', Comment: rule.Comment,
  }
}

/** The rule that was typed; what is empty is no condition. */
export function written(values: Edited): api.Ruleset {
  const or = (text: string) => text.trim() || null
  return {
    SMTPMailFromRegexp: or(values.SMTPMailFromRegexp), MsgFromRegexp: or(values.MsgFromRegexp), VerifiedDomain: or(values.VerifiedDomain),
    HeadersRegexp: Object.fromEntries(values.headers.filter(([name, value]) => name.trim() !== '' || value.trim() !== '').map(([name, value]) => [name.trim(), value.trim()])),
    IsForward: values.IsForward, ListAllowDomain: or(values.ListAllowDomain), AcceptRejectsToMailbox: or(values.AcceptRejectsToMailbox), Mailbox: or(values.Mailbox), Comment: values.Comment.trim(),
  }
}

function RuleDialog({ isNew, rule, fallback, onClose, onSave }: { isNew: boolean, rule: api.Ruleset, fallback: string, onClose: () => void, onSave: (rule: api.Ruleset) => Promise<void> }) {
  const form = useForm<Edited>(edit(rule), {
    success: isNew ? 'Rule added' : 'Rule saved',
    check: values => conditions(written(values)).length === 0 ? { MsgFromRegexp: 'A rule needs at least one condition' } : {},
    save: async values => {
      try {
        await onSave(written(values))
      } catch (error) {
        throw named(error)
      }
    },
    done: onClose,
  })
  return <Dialog title={isNew ? 'Add rule' : 'Edit rule'} wide onClose={onClose}>
    <Form model={form} bar={false}>
      <h3>When all of this is so</h3>
      <Fields>
        <TextField label="From matches" bind={form.field('MsgFromRegexp')} mono placeholder="^news@example\.org$" help="A regular expression for the address in From. @example\.org$ is a whole domain." />
        <TextField label="SMTP sender matches" bind={form.field('SMTPMailFromRegexp')} mono placeholder="^bounces\+.*@example\.org$" help="Lists often have an address of their own here." />
        <TextField label="Verified domain" bind={form.field('VerifiedDomain')} placeholder="example.org" help="SPF or DKIM vouch for it, or for one below it." />
      </Fields>
      <HeaderPairs bind={form.field('headers')} />
      <h3>Then</h3>
      <Fields>
        <MailboxField label="Deliver to" bind={form.field('Mailbox')} placeholder={fallback} />
        <TextField label="Comment" bind={form.field('Comment')} help="For yourself." />
      </Fields>
      <details class="stack" open={rule.IsForward || rule.ListAllowDomain !== null || rule.AcceptRejectsToMailbox !== null}>
        <summary class="strong">Mailing lists and forwarded mail</summary>
        <div class="stack">
          <TextField label="Mailing list of" bind={form.field('ListAllowDomain')} placeholder="lists.example.org" help="Accept mail when this domain is verified, whatever else speaks against it." />
          <Checkbox label="It is forwarded to us by the verified domain" bind={form.field('IsForward')} help="Do not judge it by the address of the server that forwards." />
          <MailboxField label="Accept what would be refused, into" bind={form.field('AcceptRejectsToMailbox')} placeholder="refuse it" help="For senders who are told nothing by a refusal." />
        </div>
      </details>
      <Preview values={form.values.value} />
      <Actions><Button onPress={onClose}>Cancel</Button><Button type="submit" tone="primary" busy={form.busy.value}>{isNew ? 'Add rule' : 'Save rule'}</Button></Actions>
    </Form>
  </Dialog>
}

function HeaderPairs({ bind }: { bind: Bound<[string, string][]> }) {
  const pairs = bind.value
  const change = (at: number, pair: [string, string]) => bind.set(pairs.map((one, other) => other === at ? pair : one))
  return <div class="pairs" role="group" aria-label="Header fields">
    {pairs.map(([name, value], at) => <div key={at}>
      <input class="input mono" aria-label="Name of a header field" placeholder="^list-id$" value={name} spellcheck={false} onInput={event => change(at, [event.currentTarget.value, value])} />
      <input class="input mono" aria-label="Its value" placeholder="<news\.example\.org>" value={value} spellcheck={false} onInput={event => change(at, [name, event.currentTarget.value])} />
      <Button tone="quiet" square icon="trash" onPress={() => bind.set(pairs.filter((_, other) => other !== at))}>Remove condition</Button>
    </div>)}
    <div class="row"><Button small icon="plus" onPress={() => bind.set([...pairs, ['', '']])}>Condition on a header field</Button>
      {pairs.length > 0 && <span class="muted small">Expressions for name and value, both in lower case.</span>}</div>
  </div>
}

const LIMIT = 200

function Preview({ values }: { values: Edited }) {
  need(mailboxes)
  const [mailbox, setMailbox] = useState('Inbox'), [found, setFound] = useState<api.RulesetPreview | null>(null), [problem, setProblem] = useState('')
  const names = (mailboxes.data.value ?? []).map(one => one.Name)
  const look = async () => {
    setProblem('')
    try {
      setFound(await api.RulesetPreview(written(values), mailbox, LIMIT))
    } catch (error) {
      setFound(null)
      setProblem(explain(named(error)))
    }
  }
  return <Card title="Try it" about="On mail that came already; nothing is moved.">
    <div class="row bottom">
      <Field label="Newest messages of">{attributes => <select class="input" value={mailbox} {...attributes} onChange={event => setMailbox(event.currentTarget.value)}>
        {[...new Set(['Inbox', ...names])].map(one => <option key={one} value={one} selected={one === mailbox}>{one}</option>)}
      </select>}</Field>
      <Button icon="search" onPress={look}>Find matches</Button>
    </div>
    {problem && <Notice state="bad">{problem}</Notice>}
    {found && <>
      <p>{plural(found.Matches.length, 'match', 'matches')} <span class="muted">among {plural(found.LookedAt, 'message')} that came by SMTP.</span></p>
      {found.GaveUp && <Notice state="warn">The expressions take too much work, so the rest was not compared. The same would happen when mail comes in.</Notice>}
      {found.Matches.length > 0 && <Table caption="matches" rows={found.Matches.slice(0, 20)} id={one => `${one.Received} ${one.MsgFrom} ${one.Subject}`} columns={[
        { id: 'subject', title: 'Subject', cell: one => <span class="wrap">{one.Subject || '(none)'}</span> },
        { id: 'from', title: 'From', cell: one => <span class="wrap">{one.MsgFrom}</span> },
        { id: 'time', title: 'Received', cell: one => <Time at={one.Received} />, fit: true },
      ]} />}
      {found.Matches.length > 20 && <p class="muted small">The newest 20 are shown.</p>}
    </>}
  </Card>
}
