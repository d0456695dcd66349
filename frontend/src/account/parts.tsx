// Parts that several pages of an account have.

import type { ComponentChildren } from 'preact'
import { useId } from 'preact/hooks'
import * as api from '../api/account'
import { Actions, Address, Badge, Button, CodeBlock, CopyButton, Dialog, Field, Loaded, Notice, Table, Time, browserName, type Bound, type Column } from '../kit'
import { count } from '../lib/format'
import { account, mailboxes, need } from './model'

/** The account, once it is known. */
export function WithAccount({ children }: { children: (info: api.AccountInfo) => ComponentChildren }) {
  need(account)
  return <Loaded of={account}>{children}</Loaded>
}

/** The name of a mailbox, of those there are or a new one. */
export function MailboxField({ label, bind, help, placeholder }: { label: string, bind: Bound<string>, help?: ComponentChildren, placeholder?: string }) {
  need(mailboxes)
  const list = useId()
  return <Field label={label} help={help} error={bind.error}>{attributes => <>
    <input class="input" list={list} value={bind.value} placeholder={placeholder} autocomplete="off" spellcheck={false} {...attributes}
      onInput={event => bind.set(event.currentTarget.value)} />
    <datalist id={list}>{(mailboxes.data.value ?? []).map(one => <option key={one.ID} value={one.Name} />)}</datalist>
  </>}</Field>
}

/** Something that is shown only now: a password, a token. */
export function Secret({ title, text, what, children, onClose }: { title: string, text: string, what: string, children?: ComponentChildren, onClose: () => void }) {
  return <Dialog title={title} onClose={onClose}>
    <Notice state="warn">Copy it now. It is shown this once, and nobody can look it up later.</Notice>
    <CodeBlock text={text} what={what} breaks />
    {children}
    <Actions><CopyButton text={text} what={what} label="Copy" /><Button tone="primary" onPress={onClose}>Done</Button></Actions>
  </Dialog>
}

/** For what lasts: how long. */
export const LIFETIMES = [
  { value: '', label: 'Until it is removed' },
  { value: '7', label: 'For a week' },
  { value: '30', label: 'For 30 days' },
  { value: '90', label: 'For 90 days' },
  { value: '365', label: 'For a year' },
] as const

export type Lifetime = typeof LIFETIMES[number]['value']

export function lifetime(days: Lifetime): number | null {
  return days === '' ? null : Number(days) * 86_400_000_000_000
}

/** What results of attempts to log in mean. */
const RESULTS: Record<string, string> = {
  ok: 'logged in', badcreds: 'wrong password', badchanbind: 'not our TLS', badprotocol: 'malformed', logindisabled: 'login disabled', aborted: 'given up', error: 'failed',
}

/** The programs behind the names of protocols. */
const PROTOCOLS: Record<string, string> = {
  imap: 'IMAP', smtp: 'SMTP', submission: 'Sending', webaccount: 'Account pages', webmail: 'Webmail', webapi: 'Web API', webadmin: 'Administration',
}

export function protocolName(protocol: string): string {
  return PROTOCOLS[protocol] ?? protocol
}

const ATTEMPTS: readonly Column<api.LoginAttempt>[] = [
  { id: 'time', title: 'Time', cell: one => <Time at={one.Last} />, sort: one => Date.parse(one.Last), fit: true },
  {
    id: 'result', title: 'Result', cell: one => <Badge state={one.Result === 'ok' ? 'good' : one.Result === 'aborted' ? 'plain' : 'bad'} title={one.Result}>{RESULTS[one.Result] ?? one.Result}</Badge>,
    sort: one => one.Result, search: one => `${one.Result} ${RESULTS[one.Result] ?? ''}`, fit: true,
  },
  {
    id: 'how', title: 'With', cell: one => <>{protocolName(one.Protocol)} <span class="muted">{one.AuthMech}</span>
      {one.TLS && <div class="muted small">{one.TLS}</div>}
      {one.TLSPubKeyFingerprint && <div class="muted small">key {one.TLSPubKeyFingerprint.slice(0, 12)}…</div>}</>,
    sort: one => one.Protocol, search: one => `${protocolName(one.Protocol)} ${one.AuthMech} ${one.TLS}`,
  },
  { id: 'address', title: 'Address', cell: one => <Address value={one.LoginAddress} />, sort: one => one.LoginAddress, search: one => one.LoginAddress },
  { id: 'ip', title: 'From', cell: one => <span class="mono nowrap">{one.RemoteIP}</span>, sort: one => one.RemoteIP, search: one => one.RemoteIP },
  { id: 'agent', title: 'Program', cell: one => one.UserAgent && <span class={one.UserAgent.startsWith('Mozilla/') ? 'nowrap' : 'wrap'} title={one.UserAgent}>{browserName(one.UserAgent)}</span>, search: one => one.UserAgent, blank: one => one.UserAgent === '' },
  { id: 'count', title: 'Count', cell: one => <>{count(one.Count)}{one.Count > 1 && <div class="muted small nowrap">since <Time at={one.First} /></div>}</>, sort: one => one.Count, fit: true },
]

export function LoginAttemptsTable({ rows, brief = false }: { rows: readonly api.LoginAttempt[], brief?: boolean }) {
  const columns = brief ? ATTEMPTS.filter(column => ['time', 'result', 'how', 'ip', 'agent'].includes(column.id)).map(({ search: _, sort: __, ...rest }) => rest) : ATTEMPTS
  return <Table caption="login attempts" columns={columns} rows={rows} empty="Nobody has tried to log in."
    id={one => [one.LoginAddress, one.RemoteIP, one.LocalIP, one.Protocol, one.AuthMech, one.Result, one.TLS, one.UserAgent, one.First].join(' ')} />
}
