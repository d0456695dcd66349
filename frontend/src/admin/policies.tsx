// MTA-STS policies of other domains, as we know them; block lists that our own addresses are looked up in.

import * as api from '../api/admin'
import { Address, Badge, Button, Card, Form, ListField, LinkButton, Loaded, Page, Table, Time, useForm, type State } from '../kit'
import { writeDuration } from '../lib/format'
import { useResource } from '../lib/resource'

const MODES: Record<string, State> = { enforce: 'good', testing: 'warn' }

export function PoliciesPage() {
  const rows = useResource(() => api.MTASTSPolicies())
  return <Page title="MTA-STS policies" about="Of other domains: whether mail to them needs verified TLS. Kept for as long as they say." actions={<Button icon="refresh" onPress={() => rows.reload()}>Refresh</Button>}>
    <Card flush><Loaded of={rows}>{rows => <Table caption="policies" rows={rows} id={one => one.Domain} sortedBy="domain" empty="None yet: no mail went to a domain that has one."
      columns={[
        { id: 'domain', title: 'Domain', cell: one => <Address value={one.Domain} />, sort: one => one.Domain, search: one => one.Domain },
        { id: 'mode', title: 'Mode', cell: one => one.Backoff ? <Badge state="warn" title={one.Error}>not fetched</Badge> : <Badge state={MODES[one.Mode] ?? 'plain'}>{one.Mode}</Badge>, sort: one => one.Mode, fit: true },
        { id: 'mx', title: 'Hosts', cell: one => <span class="mono wrap">{one.MX.join(', ') || '–'}</span>, search: one => one.MX.join(' ') },
        { id: 'age', title: 'Age', cell: one => writeDuration(one.MaxAge, 2) || '–', sort: one => one.MaxAge, fit: true },
        { id: 'valid', title: 'Valid until', cell: one => <Time at={one.ValidEnd} />, sort: one => Date.parse(one.ValidEnd ?? '') || 0, fit: true },
        { id: 'update', title: 'Fetched', cell: one => <Time at={one.LastUpdate} />, sort: one => Date.parse(one.LastUpdate ?? '') || 0, fit: true },
        { id: 'use', title: 'Last used', cell: one => <Time at={one.LastUse} />, sort: one => Date.parse(one.LastUse ?? '') || 0, fit: true },
        { id: 'error', title: 'Trouble', cell: one => <span class="small wrap">{one.Error}</span>, blank: one => one.Error === '' },
      ]} />}</Loaded></Card>
  </Page>
}

const STATUSES: Record<api.DNSBLResult['Status'], readonly [State, string]> = { pass: ['good', 'not listed'], fail: ['bad', 'listed'], error: ['warn', 'no answer'] }

export function BlocklistsPage() {
  const status = useResource(() => api.DNSBLStatus())
  return <Page title="Block lists" about="Whether addresses of ours are listed. Being listed means that mail is refused elsewhere." actions={<Button icon="refresh" onPress={() => status.reload()}>Look up again</Button>}>
    <Loaded of={status}>{found => <>
      <Card flush><Table caption="addresses" rows={found.Results} id={one => `${one.IP} ${one.Zone}`} sortedBy="status" empty={found.UsingZones.length + found.MonitorZones.length > 0 ? 'None of our addresses is a public one.' : 'No list is asked. Name some below.'}
        columns={[
          { id: 'ip', title: 'Address', cell: one => <span class="mono">{one.IP}</span>, sort: one => one.IP },
          { id: 'zone', title: 'List', cell: one => one.Zone, sort: one => one.Zone },
          { id: 'status', title: 'Status', cell: one => <Badge state={STATUSES[one.Status][0]}>{STATUSES[one.Status][1]}</Badge>, sort: one => ['fail', 'error', 'pass'].indexOf(one.Status), fit: true },
          { id: 'about', title: 'Explanation', cell: one => <span class="wrap">{one.Explanation || '–'}</span>, blank: one => one.Explanation === '' },
          { id: 'use', title: 'Use', cell: one => <span class="row">{found.UsingZones.includes(one.Zone) && <Badge>judges incoming mail</Badge>}{one.Monitored && <Badge>watched</Badge>}</span> },
        ]} actions={one => <LinkButton small external href={`https://multirbl.valli.org/lookup/${encodeURIComponent(one.IP)}.html`}>All lists</LinkButton>} /></Card>
      <Watched zones={found.MonitorZones} done={() => status.reload()} />
    </>}</Loaded>
  </Page>
}

function Watched({ zones, done }: { zones: string[], done: () => Promise<void> }) {
  const form = useForm({ Zones: zones }, { save: values => api.MonitorDNSBLsSave(values.Zones), done: () => { void done() } })
  return <Card title="Lists to watch" about="Our addresses are looked up in them from time to time; they are not asked about others."><Form model={form}>
    <ListField label="Zones" bind={form.field('Zones')} mono rows={4} placeholder="bl.example.org" help="One a line." />
  </Form></Card>
}
