// The queue: what waits to be delivered, rules that hold messages back, and what can be done with those chosen.

import { signal } from '@preact/signals'
import { useEffect, useMemo, useState } from 'preact/hooks'
import * as api from '../api/admin'
import {
  Actions, Address, Badge, Button, Card, Dialog, Facts, FilterSelect, FilterText, Form, LinkButton, Loaded, Menu, Page, Select, Table, TextField, Time, attempt, confirm, toast, useForm,
  type Column,
} from '../kit'
import { plural, size } from '../lib/format'
import { PAGE_ROWS, useFilters, useOrder, usePaged } from '../lib/paged'
import { useResource } from '../lib/resource'
import { href } from '../lib/router'
import { accounts, need, queueSize, transports } from './model'
import { AccountLink, Results } from './parts'
import './queue.css'

export const NO_FILTER: api.QueueFilter = { Max: 0, IDs: null, Account: '', From: '', To: '', Hold: null, Submitted: '', NextAttempt: '', Transport: null }
/** Minutes of the pauses that are offered. */
const PAUSES = [1, 5, 10, 30, 60, 120, 240, 480, 960]

export function pause(minutes: number): string {
  return minutes < 60 ? `${minutes} min` : `${minutes / 60} h`
}

export function QueuePage() {
  const filters = useFilters(['submitted', 'account', 'from', 'to', 'hold', 'next', 'transport'])
  const order = useOrder(['NextAttempt', 'Queued'], 'NextAttempt', true)
  const [opened, setOpened] = useState<api.QueueMessage | null>(null)
  const selection = useMemo(() => signal<ReadonlySet<string>>(new Set()), [])
  need(accounts, transports)
  const messages = usePaged<api.QueueMessage>(last => api.QueueList({
    ...NO_FILTER, Max: PAGE_ROWS, Account: filters.get('account'), From: filters.get('from'), To: filters.get('to'), Submitted: filters.get('submitted'), NextAttempt: filters.get('next'),
    Hold: filters.get('hold') === '' ? null : filters.get('hold') === 'yes', Transport: filters.get('transport') === '' ? null : filters.get('transport') === '-' ? '' : filters.get('transport'),
  }, { Field: order.by, LastID: last?.ID ?? 0, Last: last ? (order.by === 'Queued' ? last.Queued : last.NextAttempt) : null, Asc: order.ascending }), [filters.key, order.key])
  const again = async () => {
    selection.value = new Set()
    await Promise.all([messages.reload(), queueSize.reload()])
  }
  const columns: readonly Column<api.QueueMessage>[] = [
    { id: 'ID', title: 'ID', cell: one => <span class="number">{one.ID}{one.BaseID > 0 && one.BaseID !== one.ID && <span class="muted"><wbr />/{one.BaseID}</span>}</span> },
    { id: 'Queued', title: 'Submitted', cell: one => <><Time at={one.Queued} /><br /><span class="muted small">{size(one.Size)}</span></>, fit: true, filter: <FilterText label="submitted" placeholder="<1h" value={filters.get('submitted')} onChange={value => filters.set('submitted', value)} /> },
    { id: 'account', title: 'Account', minor: true, cell: one => <AccountLink name={one.Account} />, filter: <FilterSelect label="account" value={filters.get('account')} choices={(accounts.data.value ?? []).map(one => [one.Name, one.Name] as const)} onChange={value => filters.set('account', value)} /> },
    { id: 'envelope', title: 'From, to', wide: true, cell: one => <Envelope from={one.From} to={one.To} />, filter: <span class="pair">
      <FilterText label="from" placeholder="from" value={filters.get('from')} onChange={value => filters.set('from', value)} />
      <FilterText label="to" placeholder="to @domain" value={filters.get('to')} onChange={value => filters.set('to', value)} />
    </span> },
    {
      id: 'NextAttempt', title: 'Next attempt', fit: true,
      cell: one => one.Hold ? <Badge state="warn">on hold</Badge> : <Time at={one.NextAttempt} />,
      filter: <span class="pair">
        <FilterSelect label="hold" value={filters.get('hold')} choices={[['yes', 'On hold'], ['no', 'Not held']]} onChange={value => filters.set('hold', value)} />
        <FilterText label="next attempt" placeholder="<1h" value={filters.get('next')} onChange={value => filters.set('next', value)} />
      </span>,
    },
    { id: 'last', title: 'Last answer', cell: one => <LastAnswer of={one} />, blank: one => one.Results.length === 0 },
    {
      id: 'transport', title: 'Transport', minor: true, cell: one => <span class="row">{one.Transport || <span class="muted">by route</span>}
        {one.RequireTLS !== null && <Badge state={one.RequireTLS ? 'accent' : 'warn'}>{one.RequireTLS ? 'TLS' : 'no TLS'}</Badge>}</span>,
      filter: <FilterSelect label="transport" value={filters.get('transport')} choices={[['-', 'By route'], ...(transports.data.value ?? []).map(one => [one.Name, one.Name] as const)]} onChange={value => filters.set('transport', value)} />,
    },
  ]
  return <Page title="Queue" about="Messages on their way out, one for each recipient." actions={<>
    <LinkButton icon="history" href={href(['retired'])}>Those that left it</LinkButton>
    <Button icon="refresh" onPress={again}>Refresh</Button>
  </>}>
    <Card flush>
      <Loaded of={messages}>{rows => <Table caption="messages" columns={columns} rows={rows} id={one => String(one.ID)} onOpen={setOpened} selection={selection}
        bulk={<BulkActions ids={[...selection.value].map(Number)} done={again} />}
        sorting={{ ...order, columns: ['NextAttempt', 'Queued'] }} more={messages.hasMore.value ? { load: messages.more } : undefined}
        onClearFilters={filters.isSet ? filters.clear : undefined} empty="Nothing waits." />}</Loaded>
    </Card>
    <HoldRules changed={again} />
    {opened && <MessageDetails message={opened} onClose={() => setOpened(null)} />}
  </Page>
}

function Envelope({ from, to }: { from: string, to: string }) {
  return <span class="envelope"><span class="muted"><Address value={from} none="<> (a notice)" /></span><br /><span class="hidden">to </span><Address value={to} /></span>
}

/** The last of the attempts, and which one that was. */
export function LastAnswer({ of }: { of: { Attempts: number, Results: readonly { Error: string, Success: boolean, Start: string }[] } }) {
  const last = of.Results.at(-1)
  if (!last) return <span class="muted">–</span>
  return <span class="lastanswer" title={last.Error}><span class="muted">{of.Attempts > 1 ? `${of.Attempts} tries, ` : ''}<Time at={last.Start} />{last.Error && ': '}</span>{last.Error}</span>
}

function BulkActions({ ids, done }: { ids: number[], done: () => Promise<void> }) {
  const [planning, setPlanning] = useState(false)
  need(transports)
  const filter: api.QueueFilter = { ...NO_FILTER, IDs: ids }
  const change = async (run: () => Promise<number>, what: string) => {
    if (await attempt(async () => toast(`${plural(await run(), 'message')} ${what}`))) await done()
  }
  const fail = async () => {
    if (await confirm({ title: `Fail ${plural(ids.length, 'message')}?`, action: 'Fail', consequences: ['They leave the queue undelivered.', 'The senders get a notice that delivery failed.'] }))
      await change(() => api.QueueFail(filter), 'failed')
  }
  const drop = async () => {
    if (await confirm({ title: `Remove ${plural(ids.length, 'message')}?`, action: 'Remove without notice', consequences: ['They leave the queue undelivered.', 'Nobody is told: the senders believe they were sent.'] }))
      await change(() => api.QueueDrop(filter), 'removed')
  }
  return <>
    <Button small icon="play" onPress={() => change(() => api.QueueNextAttemptSet(filter, 0), 'tried now')}>Try now</Button>
    <Button small icon="clock" onPress={() => setPlanning(true)}>Postpone</Button>
    <Button small icon="pause" onPress={() => change(() => api.QueueHoldSet(filter, true), 'put on hold')}>Hold</Button>
    <Button small onPress={() => change(() => api.QueueHoldSet(filter, false), 'released')}>Release</Button>
    <Menu small start label="Transport" items={[
      { text: 'By the routes', run: () => change(() => api.QueueTransportSet(filter, ''), 'changed') },
      ...(transports.data.value ?? []).map(one => ({ text: one.Name, run: () => change(() => api.QueueTransportSet(filter, one.Name), 'changed') })),
    ]} />
    <Menu small start label="TLS" items={[
      { text: 'As usual', run: () => change(() => api.QueueRequireTLSSet(filter, null), 'changed') },
      { text: 'Require verified TLS', run: () => change(() => api.QueueRequireTLSSet(filter, true), 'changed') },
      { text: 'Go without, if need be', run: () => change(() => api.QueueRequireTLSSet(filter, false), 'changed') },
    ]} />
    <Button small tone="danger" onPress={fail}>Fail</Button>
    <Button small tone="danger" icon="trash" onPress={drop}>Remove</Button>
    {planning && <Postpone onClose={() => setPlanning(false)} what={plural(ids.length, 'message')} run={(minutes, fromNow) => change(
      () => fromNow ? api.QueueNextAttemptSet(filter, minutes) : api.QueueNextAttemptAdd(filter, minutes), 'postponed')} />}
  </>
}

export function Postpone({ what, onClose, run }: { what: string, onClose: () => void, run: (minutes: number, fromNow: boolean) => Promise<void> }) {
  const form = useForm({ Minutes: '60', From: 'now' as 'now' | 'planned' }, {
    success: '',
    save: values => run(Number(values.Minutes), values.From === 'now'),
    done: onClose,
  })
  return <Dialog title={`Next attempt of ${what}`} onClose={onClose}>
    <Form model={form} bar={false}>
      <Select label="In" bind={form.field('Minutes')} choices={PAUSES.map(minutes => ({ value: String(minutes), label: pause(minutes) }))} />
      <Select label="Counted from" bind={form.field('From')} choices={[{ value: 'now', label: 'now' }, { value: 'planned', label: 'when it is planned' }]} />
      <Actions><Button onPress={onClose}>Cancel</Button><Button type="submit" tone="primary" busy={form.busy.value}>Postpone</Button></Actions>
    </Form>
  </Dialog>
}

function MessageDetails({ message, onClose }: { message: api.QueueMessage, onClose: () => void }) {
  return <Dialog wide title={message.Subject || `Message ${message.ID}`} onClose={onClose}>
    <Facts rows={[
      ['From', <Address value={message.From} none="<> (a notice)" />],
      ['To', <Address value={message.To} />],
      ['Account', <AccountLink name={message.Account} />],
      ['Message-ID', <code>{message.MessageID || '–'}</code>],
      ['Submitted', <Time at={message.Queued} full />],
      ['Next attempt', message.Hold ? <Badge state="warn">on hold</Badge> : <Time at={message.NextAttempt} full />],
      ['Attempts', `${message.Attempts}${message.MaxAttempts ? ` of ${message.MaxAttempts}` : ''}`],
      ['Size', size(message.Size)],
      ['Transport', message.Transport || 'by the routes'],
      ['TLS', message.RequireTLS === null ? 'as usual' : message.RequireTLS ? 'verified TLS required' : 'goes without, if need be'],
      message.FutureRelease !== '' && ['Not before', message.FutureRelease],
      (message.Has8bit || message.SMTPUTF8) && ['Needs', [message.Has8bit && '8BITMIME', message.SMTPUTF8 && 'SMTPUTF8'].filter(Boolean).join(', ')],
      (message.IsDMARCReport || message.IsTLSReport) && ['Kind', message.IsDMARCReport ? 'DMARC report of ours' : 'TLS report of ours'],
      message.FromID !== '' && ['From-id', <code>{message.FromID}</code>],
      ...Object.entries(message.Extra).map(([name, value]) => [`Extra: ${name}`, value] as const),
    ]} />
    <h3>Attempts</h3>
    <Results results={message.Results} />
  </Dialog>
}

function HoldRules({ changed }: { changed: () => Promise<void> }) {
  const rules = useResource(() => api.QueueHoldRuleList()), [adding, setAdding] = useState(false)
  const remove = async (rule: api.HoldRule) => {
    const yes = await confirm({ title: 'Remove this rule?', action: 'Remove rule', harmless: true, consequences: ['Messages to come are not held by it any more.', 'Those that are on hold stay so: release them above.'] })
    if (yes && await attempt(() => api.QueueHoldRuleRemove(rule.ID), 'Rule removed')) await rules.reload()
  }
  return <Card title="Hold rules" about="Messages that match all of a rule are put on hold, those in the queue and those to come." flush
    actions={<Button icon="plus" onPress={() => setAdding(true)}>Add rule</Button>}>
    <Loaded of={rules}>{rows => <Table caption="rules" rows={rows} id={one => String(one.ID)} empty="None: nothing is held back."
      columns={[
        { id: 'account', title: 'Account', minor: true, cell: one => one.Account || <span class="muted">any</span> },
        { id: 'sender', title: 'Sender domain', cell: one => one.SenderDomain || <span class="muted">any</span> },
        { id: 'recipient', title: 'Recipient domain', cell: one => one.RecipientDomain || <span class="muted">any</span> },
      ]} actions={one => <Button tone="quiet" small square icon="trash" onPress={() => remove(one)}>Remove rule</Button>} />}</Loaded>
    {adding && <AddRule onClose={() => setAdding(false)} done={async () => { await Promise.all([rules.reload(), changed()]) }} />}
  </Card>
}

function AddRule({ onClose, done }: { onClose: () => void, done: () => Promise<void> }) {
  useEffect(() => { need(accounts) }, [])
  const form = useForm({ Account: '', SenderDomain: '', RecipientDomain: '' }, {
    success: 'Rule added',
    save: async values => {
      const { Account, SenderDomain, RecipientDomain } = values
      if (Account + SenderDomain + RecipientDomain === '' && !await confirm({ title: 'Hold everything?', action: 'Hold all mail', harmless: true, consequences: ['No message leaves until the rule is removed and they are released.'] }))
        throw new Error('not held')
      await api.QueueHoldRuleAdd(Account, SenderDomain.trim(), RecipientDomain.trim())
    },
    done: () => {
      void done()
      onClose()
    },
  })
  return <Dialog title="Hold messages back" onClose={onClose}>
    <Form model={form} bar={false}>
      <Select label="Account" bind={form.field('Account')} choices={[{ value: '', label: 'Any' }, ...(accounts.data.value ?? []).map(one => ({ value: one.Name, label: one.Name }))]} />
      <TextField label="Domain of the sender" bind={form.field('SenderDomain')} placeholder="any" />
      <TextField label="Domain of the recipient" bind={form.field('RecipientDomain')} placeholder="any" />
      <Actions><Button onPress={onClose}>Cancel</Button><Button type="submit" tone="primary" busy={form.busy.value}>Add rule</Button></Actions>
    </Form>
  </Dialog>
}

// Those that left it.

export function RetiredPage() {
  const filters = useFilters(['submitted', 'account', 'from', 'to', 'activity', 'success'])
  const order = useOrder(['LastActivity', 'Queued'], 'LastActivity', false)
  const [opened, setOpened] = useState<api.RetiredMessage | null>(null)
  need(accounts)
  const messages = usePaged<api.RetiredMessage>(last => api.RetiredList({
    Max: PAGE_ROWS, IDs: null, Account: filters.get('account'), From: filters.get('from'), To: filters.get('to'), Submitted: filters.get('submitted'), LastActivity: filters.get('activity'),
    Transport: null, Success: filters.get('success') === '' ? null : filters.get('success') === 'yes',
  }, { Field: order.by, LastID: last?.ID ?? 0, Last: last ? (order.by === 'Queued' ? last.Queued : last.LastActivity) : null, Asc: order.ascending }), [filters.key, order.key])
  const columns: readonly Column<api.RetiredMessage>[] = [
    { id: 'ID', title: 'ID', cell: one => <span class="number">{one.ID}</span>, fit: true },
    { id: 'Queued', title: 'Submitted', cell: one => <Time at={one.Queued} />, fit: true, filter: <FilterText label="submitted" placeholder="<1h" value={filters.get('submitted')} onChange={value => filters.set('submitted', value)} /> },
    { id: 'LastActivity', title: 'Last activity', cell: one => <Time at={one.LastActivity} />, fit: true, filter: <FilterText label="last activity" placeholder="<1h" value={filters.get('activity')} onChange={value => filters.set('activity', value)} /> },
    { id: 'success', title: 'Result', cell: one => <Badge state={one.Success ? 'good' : 'bad'}>{one.Success ? 'delivered' : 'failed'}</Badge>, fit: true,
      filter: <FilterSelect label="result" value={filters.get('success')} choices={[['yes', 'Delivered'], ['no', 'Failed']]} onChange={value => filters.set('success', value)} /> },
    { id: 'account', title: 'Account', minor: true, cell: one => <AccountLink name={one.Account} />, filter: <FilterSelect label="account" value={filters.get('account')} choices={(accounts.data.value ?? []).map(one => [one.Name, one.Name] as const)} onChange={value => filters.set('account', value)} /> },
    { id: 'envelope', title: 'From, to', wide: true, cell: one => <Envelope from={one.From} to={one.To} />, filter: <span class="pair">
      <FilterText label="from" placeholder="from" value={filters.get('from')} onChange={value => filters.set('from', value)} />
      <FilterText label="to" placeholder="to @domain" value={filters.get('to')} onChange={value => filters.set('to', value)} />
    </span> },
    { id: 'last', title: 'Last answer', cell: one => <LastAnswer of={one} />, blank: one => one.Results.length === 0 },
  ]
  return <Page title="Retired messages" above={[['Queue', href(['queue'])]]} about="What left the queue, for as long as its account remembers it.">
    <Card flush>
      <Loaded of={messages}>{rows => <Table caption="messages" columns={columns} rows={rows} id={one => String(one.ID)} onOpen={setOpened} sorting={{ ...order, columns: ['LastActivity', 'Queued'] }}
        more={messages.hasMore.value ? { load: messages.more } : undefined} onClearFilters={filters.isSet ? filters.clear : undefined}
        empty="None. Accounts that keep retired messages have them here." />}</Loaded>
    </Card>
    {opened && <Dialog wide title={opened.Subject || `Message ${opened.ID}`} onClose={() => setOpened(null)}>
      <Facts rows={[
        ['From', <Address value={opened.From} none="<> (a notice)" />], ['To', <Address value={opened.To} />], ['Account', <AccountLink name={opened.Account} />],
        ['Result', <Badge state={opened.Success ? 'good' : 'bad'}>{opened.Success ? 'delivered' : 'failed'}</Badge>],
        ['Message-ID', <code>{opened.MessageID || '–'}</code>], ['Submitted', <Time at={opened.Queued} full />], ['Last activity', <Time at={opened.LastActivity} full />],
        ['Remembered until', <Time at={opened.KeepUntil} full />], ['Size', size(opened.Size)], opened.FromID !== '' && ['From-id', <code>{opened.FromID}</code>],
        ...Object.entries(opened.Extra).map(([name, value]) => [`Extra: ${name}`, value] as const),
      ]} />
      <h3>Attempts</h3>
      <Results results={opened.Results} />
    </Dialog>}
  </Page>
}

