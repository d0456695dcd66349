// Webhooks that wait, and those that left their queue.

import { signal } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import { useMemo, useState } from 'preact/hooks'
import * as api from '../api/admin'
import { Actions, Badge, Button, Card, CodeBlock, Dialog, Facts, FilterSelect, FilterText, LinkButton, Loaded, Page, Table, Time, attempt, confirm, toast, type Column } from '../kit'
import { plural } from '../lib/format'
import { PAGE_ROWS, useFilters, useOrder, usePaged, type Filters } from '../lib/paged'
import { useResource } from '../lib/resource'
import { href } from '../lib/router'
import { accounts, hookQueueSize, need } from './model'
import { AccountLink, Results } from './parts'
import { LastAnswer, Postpone } from './queue'

const EVENTS = ['incoming', 'delivered', 'suppressed', 'delayed', 'failed', 'relayed', 'expanded', 'canceled', 'unrecognized'].map(name => [name, name] as const)
const NO_FILTER: api.HookFilter = { Max: 0, IDs: null, Account: '', Submitted: '', NextAttempt: '', Event: '' }

type Either = Pick<api.Hook, 'ID' | 'Account' | 'Event' | 'URL' | 'Submitted' | 'QueueMsgID' | 'FromID' | 'MessageID' | 'Subject' | 'Extra' | 'Attempts' | 'Results'>

export function WebhooksPage() {
  const filters = useFilters(['submitted', 'account', 'event', 'next'])
  const order = useOrder(['NextAttempt', 'Submitted'], 'NextAttempt', true)
  const [opened, setOpened] = useState<api.Hook | null>(null), [planning, setPlanning] = useState(false)
  const selection = useMemo(() => signal<ReadonlySet<string>>(new Set()), [])
  need(accounts)
  const hooks = usePaged<api.Hook>(last => api.HookList({ ...NO_FILTER, Max: PAGE_ROWS, Account: filters.get('account'), Submitted: filters.get('submitted'), NextAttempt: filters.get('next'), Event: filters.get('event') },
    { Field: order.by, LastID: last?.ID ?? 0, Last: last ? (order.by === 'Submitted' ? last.Submitted : last.NextAttempt) : null, Asc: order.ascending }), [filters.key, order.key])
  const again = async () => {
    selection.value = new Set()
    await Promise.all([hooks.reload(), hookQueueSize.reload()])
  }
  const filter: api.HookFilter = { ...NO_FILTER, IDs: [...selection.value].map(Number) }
  const change = async (run: () => Promise<number>, what: string) => {
    if (await attempt(async () => toast(`${plural(await run(), 'webhook')} ${what}`))) await again()
  }
  const cancel = async () => {
    if (await confirm({ title: `Cancel ${plural(selection.value.size, 'webhook')}?`, action: 'Cancel webhooks', consequences: ['Whoever waits for them is never told.'] })) await change(() => api.HookCancel(filter), 'canceled')
  }
  const columns: readonly Column<api.Hook>[] = [
    ...shared(filters),
    { id: 'NextAttempt', title: 'Next attempt', cell: one => <Time at={one.NextAttempt} />, fit: true, filter: <FilterText label="next attempt" placeholder="<1h" value={filters.get('next')} onChange={value => filters.set('next', value)} /> },
  ]
  return <Page title="Webhooks" about="Calls of applications that wait." actions={<>
    <LinkButton icon="history" href={href(['webhooks', 'retired'])}>Those that left</LinkButton>
    <Button icon="refresh" onPress={again}>Refresh</Button>
  </>}>
    <Card flush>
      <Loaded of={hooks}>{rows => <Table caption="webhooks" columns={columns} rows={rows} id={one => String(one.ID)} onOpen={setOpened} selection={selection} bulk={<>
        <Button small icon="play" onPress={() => change(() => api.HookNextAttemptSet(filter, 0), 'tried now')}>Try now</Button>
        <Button small icon="clock" onPress={() => setPlanning(true)}>Postpone</Button>
        <Button small tone="danger" icon="trash" onPress={cancel}>Cancel</Button>
      </>} sorting={{ ...order, columns: ['NextAttempt', 'Submitted'] }} more={hooks.hasMore.value ? { load: hooks.more } : undefined} onClearFilters={filters.isSet ? filters.clear : undefined} empty="Nothing waits." />}</Loaded>
    </Card>
    {opened && <HookDetails hook={opened} retired={false} onClose={() => setOpened(null)} extra={['Next attempt', <Time at={opened.NextAttempt} full />]} />}
    {planning && <Postpone what={plural(selection.value.size, 'webhook')} onClose={() => setPlanning(false)} run={(minutes, fromNow) =>
      change(() => fromNow ? api.HookNextAttemptSet(filter, minutes) : api.HookNextAttemptAdd(filter, minutes), 'postponed')} />}
  </Page>
}

export function RetiredWebhooksPage() {
  const filters = useFilters(['submitted', 'account', 'event', 'activity', 'success'])
  const order = useOrder(['LastActivity', 'Submitted'], 'LastActivity', false)
  const [opened, setOpened] = useState<api.HookRetired | null>(null)
  need(accounts)
  const hooks = usePaged<api.HookRetired>(last => api.HookRetiredList({ Max: PAGE_ROWS, IDs: null, Account: filters.get('account'), Submitted: filters.get('submitted'), LastActivity: filters.get('activity'), Event: filters.get('event'),
    Success: filters.get('success') === '' ? null : filters.get('success') === 'yes' },
    { Field: order.by, LastID: last?.ID ?? 0, Last: last ? (order.by === 'Submitted' ? last.Submitted : last.LastActivity) : null, Asc: order.ascending }), [filters.key, order.key])
  const columns: readonly Column<api.HookRetired>[] = [
    ...shared(filters),
    { id: 'success', title: 'Result', cell: one => <Badge state={one.Success ? 'good' : one.SupersededByID ? 'plain' : 'bad'}>{one.Success ? 'posted' : one.SupersededByID ? 'superseded' : 'given up'}</Badge>, fit: true,
      filter: <FilterSelect label="result" value={filters.get('success')} choices={[['yes', 'Posted'], ['no', 'Not posted']]} onChange={value => filters.set('success', value)} /> },
    { id: 'LastActivity', title: 'Last activity', cell: one => <Time at={one.LastActivity} />, fit: true, filter: <FilterText label="last activity" placeholder="<1h" value={filters.get('activity')} onChange={value => filters.set('activity', value)} /> },
  ]
  return <Page title="Retired webhooks" above={[['Webhooks', href(['webhooks'])]]} about="For as long as their account remembers them.">
    <Card flush>
      <Loaded of={hooks}>{rows => <Table caption="webhooks" columns={columns} rows={rows} id={one => String(one.ID)} onOpen={setOpened} sorting={{ ...order, columns: ['LastActivity', 'Submitted'] }}
        more={hooks.hasMore.value ? { load: hooks.more } : undefined} onClearFilters={filters.isSet ? filters.clear : undefined} empty="None." />}</Loaded>
    </Card>
    {opened && <HookDetails hook={opened} retired onClose={() => setOpened(null)} extra={['Remembered until', <Time at={opened.KeepUntil} full />]} />}
  </Page>
}

function shared({ get, set }: Pick<Filters<'submitted' | 'account' | 'event'>, 'get' | 'set'>): readonly Column<Either>[] {
  return [
    { id: 'ID', title: 'ID', cell: one => <span class="number">{one.ID}</span>, fit: true },
    { id: 'Submitted', title: 'Submitted', cell: one => <Time at={one.Submitted} />, fit: true, filter: <FilterText label="submitted" placeholder="<1h" value={get('submitted')} onChange={value => set('submitted', value)} /> },
    { id: 'account', title: 'Account', minor: true, cell: one => <AccountLink name={one.Account} />, filter: <FilterSelect label="account" value={get('account')} choices={(accounts.data.value ?? []).map(one => [one.Name, one.Name] as const)} onChange={value => set('account', value)} /> },
    { id: 'event', title: 'Event', cell: one => <Badge>{one.Event}</Badge>, fit: true, filter: <FilterSelect label="event" value={get('event')} choices={EVENTS} onChange={value => set('event', value)} /> },
    { id: 'message', title: 'Message, URL', cell: one => <span class="wrap">{one.Subject || one.MessageID || '–'}{one.QueueMsgID > 0 && <span class="muted"> #{one.QueueMsgID}</span>}
      <br /><span class="muted small">{one.URL}</span></span> },
    { id: 'last', title: 'Last answer', cell: one => <LastAnswer of={one} />, blank: one => one.Results.length === 0 },
  ]
}

function HookDetails({ hook, retired, extra, onClose }: { hook: Either, retired: boolean, extra: readonly [string, ComponentChildren], onClose: () => void }) {
  const payload = useResource(() => api.HookPayload(hook.ID, retired), [hook.ID, retired])
  const replay = async () => {
    if (await attempt(async () => toast(`Posted again as webhook ${await api.HookReplay(hook.ID)}`))) onClose()
  }
  return <Dialog wide title={`Webhook ${hook.ID}: ${hook.Event}`} onClose={onClose}>
    <Facts rows={[
      ['URL', <code>{hook.URL}</code>], ['Account', <AccountLink name={hook.Account} />], ['Subject', hook.Subject || '–'], ['Message-ID', <code>{hook.MessageID || '–'}</code>],
      hook.QueueMsgID > 0 && ['Message in the queue', hook.QueueMsgID], hook.FromID !== '' && ['From-id', <code>{hook.FromID}</code>], ['Submitted', <Time at={hook.Submitted} full />], extra,
      ...Object.entries(hook.Extra).map(([name, value]) => [`Extra: ${name}`, value] as const),
    ]} />
    <h3>Attempts</h3>
    <Results results={hook.Results} />
    <h3>Body</h3>
    <Loaded of={payload}>{text => <CodeBlock text={pretty(text)} what="the body" />}</Loaded>
    {retired && <Actions><Button icon="refresh" onPress={replay}>Post again</Button></Actions>}
  </Dialog>
}

export function pretty(json: string): string {
  try {
    return JSON.stringify(JSON.parse(json), null, 2)
  } catch {
    return json
  }
}
