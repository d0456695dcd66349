// Parts that several pages of the administration have.

import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import * as api from '../api/admin'
import { Address, Badge, Button, Card, Empty, Table, Time, attempt, type Column, type State } from '../kit'
import { duration } from '../lib/format'
import { href } from '../lib/router'
import { need, transports } from './model'

export function AccountLink({ name }: { name: string }) {
  return name === '' || name === '-' ? <span class="muted">–</span> : <a href={href(['accounts', name])}>{name}</a>
}

export function DomainLink({ name }: { name: string }) {
  return <a href={href(['domains', name])}><Address value={name} /></a>
}

const ATTEMPTS: readonly Column<api.LoginAttempt>[] = [
  { id: 'time', title: 'Time', cell: one => <Time at={one.Last} />, sort: one => Date.parse(one.Last), fit: true },
  {
    id: 'result', title: 'Result', cell: one => <Badge state={one.Result === 'ok' ? 'good' : 'bad'}>{one.Result}</Badge>,
    sort: one => one.Result, search: one => one.Result, fit: true,
  },
  { id: 'count', title: 'Count', minor: true, cell: one => one.Count, sort: one => one.Count, end: true },
  { id: 'account', title: 'Account', cell: one => <AccountLink name={one.Account} />, sort: one => one.Account, search: one => one.Account },
  { id: 'address', title: 'Address', cell: one => <Address value={one.LoginAddress} />, sort: one => one.LoginAddress, search: one => one.LoginAddress },
  {
    id: 'how', title: 'Protocol', cell: one => <>{one.Protocol} <span class="muted">{one.AuthMech}</span></>,
    sort: one => one.Protocol, search: one => `${one.Protocol} ${one.AuthMech}`,
  },
  { id: 'ip', title: 'From', cell: one => <span class="mono nowrap">{one.RemoteIP}</span>, sort: one => one.RemoteIP, search: one => one.RemoteIP },
  {
    id: 'agent', title: 'Program, TLS', search: one => `${one.UserAgent} ${one.TLS}`,
    cell: one => <span class="small wrap">{one.UserAgent && <>{one.UserAgent}<br /></>}<span class="muted">{one.TLS || 'no TLS'}</span></span>,
  },
  { id: 'first', title: 'First seen', minor: true, cell: one => <Time at={one.First} />, sort: one => Date.parse(one.First), fit: true },
]

export function LoginAttemptsTable({ rows, brief = false }: { rows: readonly api.LoginAttempt[], brief?: boolean }) {
  const columns = brief ? ATTEMPTS.filter(column => !['agent', 'first'].includes(column.id)).map(column => {
    const { search, ...rest } = column
    return search ? rest : column
  }) : ATTEMPTS
  return <Table caption="login attempts" columns={columns} rows={rows} empty="Nobody has tried to log in."
    id={one => [one.Account, one.LoginAddress, one.RemoteIP, one.LocalIP, one.Protocol, one.AuthMech, one.Result, one.TLS, one.UserAgent, one.First].join(' ')} />
}

/** Attempts at delivering something, the last first. */
export function Results({ results }: { results: readonly { Start: string, Duration: number, Success: boolean, Code: number, Secode?: string, Error: string, Response?: string }[] }) {
  if (results.length === 0) return <p class="muted">No attempt yet.</p>
  return <Table caption="attempts" rows={[...results].reverse()} id={one => one.Start} columns={[
    { id: 'start', title: 'Time', cell: one => <Time at={one.Start} full />, fit: true },
    { id: 'success', title: 'Result', cell: one => <Badge state={one.Success ? 'good' : 'bad'}>{one.Success ? 'ok' : 'failed'}</Badge>, fit: true },
    { id: 'code', title: 'Code', cell: one => one.Code ? `${one.Code}${one.Secode ? ` ${one.Secode}` : ''}` : '–', fit: true },
    { id: 'duration', title: 'Took', cell: one => duration(one.Duration), fit: true },
    { id: 'error', title: 'Answer', cell: one => <span class="wrap">{one.Error || one.Response || '–'}</span> },
  ]} />
}

/** Rules in order, of which the first that matches counts; saved as a whole. */
export function RoutesEditor({ routes, onSave, about }: { routes: readonly api.Route[], onSave: (routes: api.Route[]) => Promise<unknown>, about: ComponentChildren }) {
  need(transports)
  const [edited, setEdited] = useState<readonly api.Route[] | null>(null)
  const shown = edited ?? routes, names = (transports.data.value ?? []).map(one => one.Name)
  const change = (index: number, part: Partial<api.Route>) => setEdited(shown.map((one, at) => at === index ? { ...one, ...part } : one))
  const move = (index: number, by: number) => {
    const next = [...shown], [one] = next.splice(index, 1)
    if (one) next.splice(index + by, 0, one)
    setEdited(next)
  }
  const list = (text: string) => text.split(/[\s,]+/).filter(part => part !== '')
  const save = async () => {
    if (await attempt(() => onSave(shown.map(one => ({ ...one }))), 'Routes saved')) setEdited(null)
  }
  return <Card title="Routes" about={about} flush actions={<>
    <Button icon="plus" disabled={names.length === 0} title={names.length === 0 ? 'The static file has no transports' : undefined} onPress={() => setEdited([...shown, { FromDomain: [], ToDomain: [], MinimumAttempts: 0, Transport: names[0] ?? '' }])}>Add route</Button>
    {edited && <Button onPress={() => setEdited(null)}>Discard</Button>}
    {edited && <Button tone="primary" onPress={save}>Save routes</Button>}
  </>}>
    {shown.length === 0 ? <Empty icon="route">No routes: mail goes directly to its recipients' servers.</Empty> : <Table
      caption="routes" rows={shown.map((one, at) => ({ one, at }))} id={row => String(row.at)} columns={[
        { id: 'order', title: '#', cell: ({ at }) => at + 1, fit: true },
        { id: 'from', title: 'From domains', cell: ({ one, at }) => <input class="input" aria-label="From domains" placeholder="any" value={one.FromDomain.join(' ')}
          onChange={event => change(at, { FromDomain: list(event.currentTarget.value) })} /> },
        { id: 'to', title: 'To domains', cell: ({ one, at }) => <input class="input" aria-label="To domains" placeholder="any" value={one.ToDomain.join(' ')}
          onChange={event => change(at, { ToDomain: list(event.currentTarget.value) })} /> },
        { id: 'attempts', title: 'From attempt', cell: ({ one, at }) => <input class="input" type="number" min={0} aria-label="Minimum attempts" value={one.MinimumAttempts}
          onChange={event => change(at, { MinimumAttempts: Number(event.currentTarget.value) || 0 })} />, fit: true },
        { id: 'transport', title: 'Transport', cell: ({ one, at }) => <select class="input" aria-label="Transport" value={one.Transport}
          onChange={event => change(at, { Transport: event.currentTarget.value })}>
          {[...new Set([one.Transport, ...names])].map(name => <option key={name} value={name} selected={name === one.Transport}>{name || '–'}</option>)}
        </select> },
      ]} actions={({ at }) => <>
        <Button tone="quiet" small square icon="up" disabled={at === 0} onPress={() => move(at, -1)}>Move up</Button>
        <Button tone="quiet" small square icon="down" disabled={at === shown.length - 1} onPress={() => move(at, 1)}>Move down</Button>
        <Button tone="quiet" small square icon="trash" onPress={() => setEdited(shown.filter((_, other) => other !== at))}>Remove route</Button>
      </>} />}
  </Card>
}

export function severity(name: string): State {
  return name === 'error' ? 'bad' : name === 'warning' ? 'warn' : 'accent'
}
