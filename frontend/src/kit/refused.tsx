// RefusedMail: incoming mail that was not taken, with the reason in words, for the pages of operators and of accounts.
// `load` asks the server; `accounts` are offered as a filter where there may be several.

import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import type { Refusal, RefusalFilter } from '../api/shared'
import { count, size } from '../lib/format'
import { PAGE_ROWS, useFilters, usePaged } from '../lib/paged'
import { Address } from './address'
import { Badge, Notice, type State } from './badge'
import { Button } from './button'
import { Dialog } from './dialog'
import { FilterSelect, FilterText } from './filter'
import { Loaded } from './loaded'
import { Card, Facts, Page } from './page'
import { Table, type Column } from './table'
import { Time } from './time'
import './refused.css'

interface Props {
  load: (query: RefusalFilter, limit: number, account: string) => Promise<Refusal[]>
  about: ComponentChildren
  accounts?: readonly string[]
  /** How an account is shown. */
  account?: (name: string) => ComponentChildren
}

/** Hours that are offered. */
const SPANS = [['1', 'Last hour'], ['24', 'Last day'], ['72', 'Last 3 days']] as const
/** At which command of SMTP it was refused. */
const STAGES: Record<string, string> = { helo: 'when the server said its name', mail: 'when the sender was given', rcpt: 'when the recipient was given', data: 'when the message was there' }

export function RefusedMail({ load, about, accounts, account }: Props) {
  const filters = useFilters(['account', 'address', 'ip', 'reason', 'id', 'hours']), [opened, setOpened] = useState<Refusal | null>(null)
  const hours = Number(filters.get('hours')) || 0
  const rows = usePaged<Refusal>(last => load({
    Address: filters.get('address'), IP: filters.get('ip'), Reason: filters.get('reason'), ReceivedID: filters.get('id'),
    Since: hours ? new Date(Date.now() - hours * 3_600_000).toISOString() : null, Before: last?.Last ?? null,
  }, PAGE_ROWS, filters.get('account')), [filters.key])
  const reasons = [...new Set([filters.get('reason'), ...(rows.data.value ?? []).map(one => one.Reason)])].filter(one => one !== '').sort()
  const columns: readonly Column<Refusal>[] = [
    {
      id: 'from', title: 'From', wide: true,
      cell: one => <Sender of={one} />,
      filter: <FilterText label="address" placeholder="from or to" value={filters.get('address')} onChange={value => filters.set('address', value)} />,
    },
    {
      id: 'to', title: 'To', wide: true, blank: one => one.RcptTo === '' && (one.Account === '-' || !account),
      cell: one => <>{one.RcptTo === '' ? <span class="muted">–</span> : <Address value={one.RcptTo} />}{account && one.Account !== '-' && <div class="small muted">account {account(one.Account)}</div>}</>,
      ...accounts ? { filter: <FilterSelect label="account" value={filters.get('account')} choices={[['-', 'Nobody'], ...accounts.map(one => [one, one] as const)]} onChange={value => filters.set('account', value)} /> } : {},
    },
    {
      id: 'why', title: 'Why',
      cell: one => <div class="refusedwhy"><Badge state={weight(one)}>{words(one.Reason)}</Badge><div class="small">{one.Why}</div></div>,
      filter: <FilterSelect label="reason" value={filters.get('reason')} choices={reasons.map(one => [one, words(one)] as const)} onChange={value => filters.set('reason', value)} />,
    },
    {
      id: 'ip', title: 'Brought by', minor: true, cell: one => <span class="mono small">{one.RemoteIP || 'anybody'}</span>,
      filter: <FilterText label="IP address" placeholder="IP, network" value={filters.get('ip')} onChange={value => filters.set('ip', value)} />,
    },
    {
      id: 'reply', title: 'Told', fit: true, minor: true, cell: one => one.Code ? <span class="mono small" title={one.Text}>{one.Code} {one.Status}</span> : '–', blank: one => one.Code === 0,
      filter: <FilterText label="id of the reply" placeholder="id" value={filters.get('id')} onChange={value => filters.set('id', value)} />,
    },
    {
      id: 'last', title: 'Time', fit: true,
      cell: one => <><Time at={one.Last} />{one.Count > 1 && <div class="small muted nowrap">{count(one.Count)} times</div>}</>,
      filter: <FilterSelect label="time" value={filters.get('hours')} choices={SPANS} onChange={value => filters.set('hours', value)} />,
    },
  ]
  return <Page title="Refused mail" about={about} actions={<Button icon="refresh" onPress={() => rows.reload()}>Refresh</Button>}>
    <Card flush>
      <Loaded of={rows}>{found => <Table caption="refusals" columns={columns} rows={found} id={one => [one.Account, one.Stage, one.Reason, one.RemoteIP, one.MailFrom, one.RcptTo, one.MsgFrom, one.MessageID, one.Code, one.First].join(' ')}
        onOpen={setOpened} more={rows.hasMore.value ? { load: rows.more } : undefined} onClearFilters={filters.isSet ? filters.clear : undefined}
        empty="Nothing was refused in the last 14 days." />}</Loaded>
    </Card>
    <p class="muted small">Whoever complains that mail does not get through has a reply from this server with an id in parentheses at its end: look for that, or for the address. What is neither here nor in a mailbox never came to this server.</p>
    {opened && <Details of={opened} account={account} onClose={() => setOpened(null)} />}
  </Page>
}

function Sender({ of }: { of: Refusal }) {
  if (of.Stage === '') return <span>{count(of.Count)} more, not written down one by one</span>
  const from = of.MsgFrom || of.MailFrom
  return <><Address value={from === '<>' ? '' : from} none={of.MailFrom === '<>' ? '<> (a notice)' : '–'} />
    {of.MsgFrom !== '' && of.MailFrom !== of.MsgFrom && of.MailFrom !== '' && <div class="small muted">sent by <Address value={of.MailFrom === '<>' ? '' : of.MailFrom} none="<> (a notice)" /></div>}</>
}

function Details({ of, account, onClose }: { of: Refusal, account: Props['account'], onClose: () => void }) {
  return <Dialog wide title={of.Stage === '' ? 'Many refusals' : `From ${of.MsgFrom || (of.MailFrom === '<>' ? 'a notice' : of.MailFrom) || of.RemoteIP}`} onClose={onClose}>
    <Notice state={weight(of) === 'bad' ? 'warn' : 'accent'}><p>{of.Why}</p>{of.Remedy && <p><strong>What helps:</strong> {of.Remedy}</p>}</Notice>
    <Facts rows={[
      ['Reason', <code>{of.Reason}</code>],
      of.Code > 0 && ['The sender was told', of.Code < 400
        ? <>{of.Code} {of.Status} {of.Text}: other recipients of it have the message</>
        : <>{of.Code} {of.Status} {of.Text}{of.Code < 500 && <span class="muted">, so it may come again</span>}</>],
      of.Stage !== '' && ['Refused', STAGES[of.Stage] ?? of.Stage],
      account && of.Account !== '-' && ['Account', account(of.Account)],
      of.MsgFrom !== '' && ['From', <Address value={of.MsgFrom} />],
      of.MailFrom !== '' && of.MailFrom !== of.MsgFrom && ['Sent by', <Address value={of.MailFrom === '<>' ? '' : of.MailFrom} none="<> (a notice)" />],
      of.RcptTo !== '' && ['To', <Address value={of.RcptTo} />],
      of.RemoteIP !== '' && ['Brought by', <><span class="mono">{of.RemoteIP}</span>{of.Helo && <span class="muted"> as {of.Helo}</span>}</>],
      of.MessageID !== '' && ['Message-ID', <code>{of.MessageID}</code>],
      of.Size > 0 && ['Size', size(of.Size)],
      of.SPF !== '' && ['Checks of the sender', <span class="row">
        <Check name="SPF" result={of.SPF} /><Check name="DKIM" result={of.DKIM.length > 0 ? 'pass' : 'none'} note={of.DKIM.join(', ')} /><Check name="DMARC" result={of.DMARC} /><Check name="reverse name" result={of.Iprev} />
      </span>],
      of.Mailbox !== '' && ['A copy is in', of.Mailbox],
      ['Last time', <Time at={of.Last} full />],
      of.Count > 1 && ['Times', <>{count(of.Count)}, first <Time at={of.First} full /></>],
      of.Cid !== '' && ['In the log', <code>cid={of.Cid}</code>],
      of.ReceivedID !== '' && ['Id in the reply', <code>{of.ReceivedID}</code>],
    ]} />
    {of.Details.length > 0 && <>
      <h3>How it was judged</h3>
      <ol class="refuseddetails">{of.Details.map((line, at) => <li key={at}>{line}</li>)}</ol>
    </>}
  </Dialog>
}

const CHECKS: Record<string, State> = { pass: 'good', fail: 'bad', softfail: 'bad', permerror: 'warn', temperror: 'warn' }

function Check({ name, result, note }: { name: string, result: string, note?: string }) {
  return <Badge state={CHECKS[result] ?? 'plain'} title={note ?? ''}>{name} {result}</Badge>
}

/** Faults of this house weigh more than what it refuses by its rules. */
function weight(of: Refusal): State {
  if (/error$|^trouble$|-full$/.test(of.Reason)) return 'bad'
  return of.Account === '-' ? 'plain' : 'warn'
}

function words(reason: string): string {
  return reason.replaceAll('-', ' ').replace(/\b(dmarc|spf|dns|tls|smtputf8)\b/, word => word.toUpperCase())
}
