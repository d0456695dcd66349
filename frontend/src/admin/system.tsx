// What concerns the server itself: certificates, log levels, its files, routes and transports, logins.

import { useEffect, useState } from 'preact/hooks'
import * as api from '../api/admin'
import { Address, Badge, Button, Card, CodeBlock, Loaded, Page, SecondFactorCard, SessionsCard, Table, Tabs, Time, TokensCard, attempt, type State } from '../kit'
import { parseTime, plural } from '../lib/format'
import { useResource } from '../lib/resource'
import { go } from '../lib/router'
import { CERTIFICATE_DAYS, transports } from './model'
import { LoginAttemptsTable, RoutesEditor } from './parts'

const CERTIFICATE_STATES: Record<string, readonly [State, string]> = { ok: ['good', 'valid'], waiting: ['accent', 'waiting for an order'], error: ['bad', 'trouble'] }

export function CertificatesPage() {
  const rows = useResource(() => api.TLSCertificates())
  const state = (one: api.Certificate): readonly [State, string] => {
    const end = parseTime(one.Expires)
    if (one.State === 'ok' && end && end.getTime() < Date.now() + CERTIFICATE_DAYS * 86_400_000) return ['warn', 'ends soon']
    return CERTIFICATE_STATES[one.State] ?? ['plain', one.State]
  }
  return <Page title="Certificates" about="What the server shows of itself in TLS, or should." actions={<Button icon="refresh" onPress={() => rows.reload()}>Refresh</Button>}>
    <Card flush><Loaded of={rows}>{rows => <Table caption="certificates" rows={rows.map((one, at) => ({ ...one, at }))} id={one => String(one.at)} sortedBy="end" empty="None: no listener has TLS."
      columns={[
        { id: 'host', title: 'Host', cell: one => <Address value={one.Host} />, sort: one => one.Host, search: one => one.Host },
        { id: 'state', title: 'State', cell: one => <Badge state={state(one)[0]}>{state(one)[1]}</Badge>, sort: one => one.State, fit: true },
        { id: 'end', title: 'Until', cell: one => <Time at={one.Expires} full />, sort: one => Date.parse(one.Expires ?? '') || 0, fit: true },
        { id: 'renew', title: 'Renewed', cell: one => <Time at={one.NextAttempt ?? one.RenewAt} />, fit: true, blank: one => one.NextAttempt === null && one.RenewAt === null },
        { id: 'type', title: 'Key', cell: one => one.Type, sort: one => one.Type, fit: true },
        { id: 'source', title: 'From', cell: one => one.Source === 'file' ? 'a file' : one.Source, sort: one => one.Source },
        { id: 'error', title: 'Trouble', cell: one => <span class="wrap">{one.Failures > 0 && <span class="muted">{plural(one.Failures, 'failure')} in a row: </span>}{one.Error}</span>, blank: one => one.Error === '' && one.Failures === 0 },
      ]} />}</Loaded></Card>
  </Page>
}

const LEVELS = ['error', 'warn', 'info', 'debug', 'trace', 'traceauth', 'tracedata']

export function LogsPage() {
  const levels = useResource(() => api.LogLevels()), [name, setName] = useState('')
  const set = async (pkg: string, level: string) => { if (await attempt(() => api.LogLevelSet(pkg, level), `${pkg || 'All others'}: ${level}`)) await levels.reload() }
  const choose = (pkg: string, level: string, label: string) => <select class="input small" aria-label={label} value={level} onChange={event => set(pkg, event.currentTarget.value)}>
    {LEVELS.map(one => <option key={one} value={one} selected={one === level}>{one}</option>)}
  </select>
  return <Page title="Log levels" about="How much is logged, until the server starts again. The configuration has what it starts with. traceauth shows passwords, tracedata whole messages.">
    <Card title="By package" flush actions={<form class="row" onSubmit={event => {
      event.preventDefault()
      if (name.trim()) void set(name.trim(), 'debug').then(() => setName(''))
    }}>
      <input class="input lookup" aria-label="Package" placeholder="smtpserver" value={name} onInput={event => setName(event.currentTarget.value)} />
      <Button type="submit" icon="plus" disabled={name.trim() === ''}>Add</Button>
    </form>}>
      <Loaded of={levels}>{rows => <Table caption="packages" rows={rows} id={one => one.Package} sortedBy="package" columns={[
        { id: 'package', title: 'Package', cell: one => one.Package || 'All others', sort: one => one.Package },
        { id: 'level', title: 'Level', cell: one => choose(one.Package, one.Level, `Level of ${one.Package || 'all others'}`), sort: one => LEVELS.indexOf(one.Level), fit: true },
        { id: 'source', title: 'From', cell: one => one.Configured ? 'the configuration' : 'set here' },
      ]} actions={one => one.Package !== '' && <Button tone="quiet" small square icon="trash" onPress={async () => {
        if (await attempt(() => api.LogLevelRemove(one.Package), `${one.Package} is as all others`)) await levels.reload()
      }}>As all others</Button>} />}</Loaded>
    </Card>
  </Page>
}

export function ConfigPage({ tab }: { tab: string | undefined }) {
  const files = useResource(() => api.ConfigFiles())
  return <Page title="Configuration" about="As it is in use. The static file is changed by hand, the other one by these pages and commands, too.">
    <Loaded of={files}>{files => <Tabs label="Files" current={tab} onChange={id => go(['config', id])} tabs={[
      { id: 'domains', title: 'Domains and accounts', view: () => <><p class="muted"><code>{files.DynamicPath}</code></p><CodeBlock text={files.Dynamic} what="the file" /></> },
      { id: 'static', title: 'Static', view: () => <><p class="muted"><code>{files.StaticPath}</code></p><CodeBlock text={files.Static} what="the file" /></> },
    ]} />}</Loaded>
  </Page>
}

export function RoutesPage() {
  const routes = useResource(() => api.Routes())
  useEffect(() => { void transports.reload() }, [])
  return <Page title="Routes and transports" about="Which way outgoing mail takes. Without a route it goes directly to its recipients' servers.">
    <Loaded of={routes}>{rows => <RoutesEditor routes={rows} about="For all mail, after the routes of account and domain. The first that matches counts."
      onSave={async next => {
        await api.RoutesSave(next)
        await routes.reload()
      }} />}</Loaded>
    <Card title="Transports" about="From the static file." flush><Loaded of={transports}>{rows => <Table caption="transports" rows={rows} id={one => one.Name} sortedBy="name" empty="None: routes have nowhere to lead."
      columns={[
        { id: 'name', title: 'Name', cell: one => one.Name, sort: one => one.Name },
        { id: 'kind', title: 'Kind', cell: one => <Badge>{one.Kind}</Badge>, sort: one => one.Kind, fit: true },
        { id: 'host', title: 'Host', cell: one => one.Host ? <span class="mono">{one.Host}{one.Port ? `:${one.Port}` : ''}</span> : '–', sort: one => one.Host },
        { id: 'about', title: 'About', cell: one => one.About, blank: one => one.About === '' },
      ]} />}</Loaded></Card>
  </Page>
}

export function LoginsPage() {
  const rows = useResource(() => api.LoginAttempts('', 500))
  return <Page title="Login attempts" about="Of everybody, on everything; those that differ only in their time are counted as one." actions={<Button icon="refresh" onPress={() => rows.reload()}>Refresh</Button>}>
    <Card flush><Loaded of={rows}>{rows => <LoginAttemptsTable rows={rows} />}</Loaded></Card>
  </Page>
}

export function AccessPage() {
  return <Page title="Access" about="To these pages. The password is set on the machine itself, with moxpy setadminpassword.">
    <SecondFactorCard load={api.SecondFactor} begin={api.TOTPBegin} enable={api.TOTPConfirm} disable={api.TOTPRemove} renew={api.RecoveryCodesRenew}
      passkeys={{ ask: api.PasskeyAsk, begin: api.PasskeyBegin, add: api.PasskeyAdd, rename: api.PasskeyRename, remove: api.PasskeyRemove }} />
    <SessionsCard load={api.Sessions} remove={api.SessionRemove} />
    <TokensCard load={api.APITokenList} add={(label, scopes, lifetime) => api.APITokenAdd(label, scopes, lifetime)} remove={api.APITokenRemove} />
  </Page>
}
