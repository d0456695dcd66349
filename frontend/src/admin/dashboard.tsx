// The first page: how the server is, what needs attention, and ways to everything.

import { useEffect, useState } from 'preact/hooks'
import * as api from '../api/admin'
import { Badge, Button, Card, Empty, Facts, Icon, LinkButton, Loaded, Page, Progress, Tile, Tiles, Time, toast } from '../kit'
import { count, parseTime, plural, size } from '../lib/format'
import { explain } from '../lib/problem'
import { useResource } from '../lib/resource'
import { href } from '../lib/router'
import { CERTIFICATE_DAYS, accounts, domains, hookQueueSize, queueSize } from './model'
import { LoginAttemptsTable, severity } from './parts'
import './dashboard.css'

export function Dashboard() {
  const status = useResource(() => api.Status()), version = useResource(() => api.Version()), looks = useResource(() => api.CheckUpdatesEnabled())
  const certificates = useResource(() => api.TLSCertificates()), logins = useResource(() => api.LoginAttempts('', 10))
  useEffect(() => { for (const one of [domains, accounts, queueSize, hookQueueSize]) void one.reload() }, [])
  const now = status.data.value
  const listed = [...now?.Attention ?? [], ...aboutCertificates(certificates.data.value ?? []), ...aboutConfigured()]
  const worst = listed.some(one => one.Severity === 'error') ? 'bad' : listed.some(one => one.Severity === 'warning') ? 'warn' : 'good'
  const known = now !== undefined || listed.length > 0
  return <Page title={now?.Hostname ?? 'Overview'} about={version.data.value && `moxpy ${version.data.value.Version} on ${version.data.value.Os}/${version.data.value.Arch}`}
    badge={known && <Badge state={worst}>{worst === 'good' ? 'All well' : plural(listed.length, 'thing needs', 'things need') + ' attention'}</Badge>}
    actions={<LinkButton icon="globe" href={href(['domains'])}>Add domain</LinkButton>}>
    <Tiles>
      <Tile what="Queue" icon="queue" href={href(['queue'])} figure={figure(now?.QueueSize ?? queueSize.data.value)}
        note={now?.QueueHeld ? `${count(now.QueueHeld)} on hold` : 'messages waiting'} />
      <Tile what="Webhooks" icon="hook" href={href(['webhooks'])} figure={figure(now?.HookQueueSize ?? hookQueueSize.data.value)} note="waiting" />
      <Tile what="Domains" icon="globe" href={href(['domains'])} figure={figure(domains.data.value?.length)} note={disabled(domains.data.value)} />
      <Tile what="Accounts" icon="people" href={href(['accounts'])} figure={figure(accounts.data.value?.length)} note={disabled(accounts.data.value)} />
    </Tiles>
    <div class="columns wide">
      <Card title="Needs attention" flush>
        {listed.length === 0 ? (known ? <Empty icon="check">Nothing. Everything that is watched is as it should be.</Empty> : <Loaded of={status}>{() => null}</Loaded>)
          : <ul class="attention">{listed.map(one => <li key={one.Title + one.Text} class={severity(one.Severity)}>
            <Icon name={one.Severity === 'info' ? 'info' : 'warning'} />
            <div><span class="strong">{one.Title}</span>{one.Text && <p class="muted">{one.Text}</p>}</div>
            {one.Place && <LinkButton small href={href(one.Place.split('/'))}>Look</LinkButton>}
          </li>)}</ul>}
      </Card>
      <div class="stack">
        {now && <Card title="Server"><Facts rows={[
          ['Host', now.Hostname],
          ['Running since', <Time at={now.Started} full />],
          looks.data.value !== undefined && ['Newer versions', looks.data.value ? 'looked for once a day' : 'not looked for'],
          ['Disk', <Progress label="Disk in use" limits value={now.DiskUsed} whole={now.DiskUsed + now.DiskFree}>{size(now.DiskFree)} free</Progress>],
        ]} /></Card>}
        <CidLookup />
      </div>
    </div>
    <Card title="Last logins" flush actions={<LinkButton small href={href(['logins'])}>All attempts</LinkButton>}>
      <Loaded of={logins}>{rows => <LoginAttemptsTable rows={rows} brief />}</Loaded>
    </Card>
  </Page>
}

function figure(value: number | undefined): string {
  return value === undefined ? '–' : count(value)
}

function disabled(rows: readonly { Disabled: boolean }[] | undefined): string {
  const number = rows?.filter(one => one.Disabled).length ?? 0
  return number ? `${count(number)} disabled` : 'all enabled'
}

function aboutCertificates(certificates: readonly api.Certificate[]): api.Attention[] {
  return certificates.flatMap((one): api.Attention[] => {
    // The server tells itself of those in trouble.
    const end = one.State === 'ok' ? parseTime(one.Expires) : null
    const days = end ? Math.floor((end.getTime() - Date.now()) / 86_400_000) : Infinity
    if (days >= CERTIFICATE_DAYS) return []
    return [{ Severity: days < 3 ? 'error' : 'warning', Title: `The certificate of ${one.Host} ${days < 0 ? 'has expired' : `expires in ${plural(days, 'day')}`}`, Text: '', Place: 'certificates' }]
  })
}

function aboutConfigured(): api.Attention[] {
  return [
    ...(domains.data.value ?? []).filter(one => one.Disabled).map(one => ({
      Severity: 'info' as const, Title: `${one.Domain} is disabled`, Text: 'Mail to and from it is refused for now.', Place: `domains/${one.Domain}`,
    })),
    ...(accounts.data.value ?? []).filter(one => one.Disabled).map(one => ({
      Severity: 'info' as const, Title: `The account ${one.Name} cannot log in`, Text: 'Mail for it is still taken.', Place: `accounts/${one.Name}`,
    })),
  ]
}

function CidLookup() {
  const [id, setID] = useState(''), [found, setFound] = useState('')
  const look = async (event: Event) => {
    event.preventDefault()
    try {
      setFound(await api.LookupCid(id.trim()))
    } catch (error) {
      setFound('')
      toast(explain(error), 'bad')
    }
  }
  return <Card title="Find a connection in the log" about="By the id in a Received field or a refusal.">
    <form class="row" onSubmit={look}>
      <input class="input lookup" aria-label="Id" placeholder="id" value={id} onInput={event => setID(event.currentTarget.value)} />
      <Button type="submit" disabled={id.trim() === ''}>Look up</Button>
      {found && <><span>cid=<code>{found}</code></span><LinkButton small href={href(['refused'], { id: id.trim() })}>Was it refused?</LinkButton></>}
    </form>
  </Card>
}
