// What other servers report about our domains: DMARC (who sent in our name) and TLS (how connections went), with charts.

import { useState } from 'preact/hooks'
import * as api from '../api/admin'
import { Address, Badge, Button, Card, Chart, CodeBlock, Dialog, LinkButton, Loaded, Page, Select, Table, Tabs, Tile, Tiles, Time, attempt, type State } from '../kit'
import { count, day, parseTime, percent, plural } from '../lib/format'
import { useResource } from '../lib/resource'
import { go, href, replaceQuery, route } from '../lib/router'
import { RecordLookup } from './evaluations'

const DAY = 86_400_000

/** The days that reports are shown of, from the address. */
function useSpan() {
  const days = Number(route.value.query['days']) || 30
  const end = new Date(), start = new Date(end.getTime() - days * DAY)
  return {
    days, start: start.toISOString(), end: new Date(end.getTime() + DAY).toISOString(),
    select: <Select label="Of the last" bind={{ name: 'days', value: String(days), error: undefined, set: value => replaceQuery({ ...route.value.query, days: value === '30' ? '' : value }), fail: () => {} }}
      choices={[7, 30, 90, 365].map(value => ({ value: String(value), label: plural(value, 'day') }))} />,
  }
}

export function ReportsPage({ kind }: { kind: string | undefined }) {
  const span = useSpan()
  return <Page title="Reports" about="What other servers tell about mail in the name of our domains, and about their connections to us." actions={span.select}>
    <Tabs label="Kinds of reports" current={kind} onChange={id => go(['reports', id])} tabs={[
      { id: 'dmarc', title: 'DMARC', view: () => <DMARCSummaries {...span} /> },
      { id: 'tls', title: 'TLS', view: () => <TLSSummaries {...span} /> },
    ]} />
  </Page>
}

interface Span { days: number, start: string, end: string }

function DMARCSummaries({ days, start, end }: Span) {
  const rows = useResource(() => api.DMARCSummaries(start, end, ''), [days])
  return <Card flush><Loaded of={rows}>{rows => <Table caption="domains" rows={rows} id={one => one.Domain} href={one => href(['reports', 'dmarc', one.Domain], days === 30 ? {} : { days: String(days) })} sortedBy="total" descending
    empty="No reports yet. They come once a day to domains that receive them (settings of the domain)."
    columns={[
      { id: 'domain', title: 'Domain', cell: one => <Address value={one.Domain} />, sort: one => one.Domain },
      { id: 'total', title: 'Messages', cell: one => count(one.Total), sort: one => one.Total, end: true },
      { id: 'bad', title: 'Quarantined or rejected', cell: one => <Share part={one.DispositionQuarantine + one.DispositionReject} whole={one.Total} />, sort: one => one.DispositionQuarantine + one.DispositionReject, end: true },
      { id: 'dkim', title: 'DKIM failed', cell: one => <Share part={one.DKIMFail} whole={one.Total} />, sort: one => one.DKIMFail, end: true },
      { id: 'spf', title: 'SPF failed', cell: one => <Share part={one.SPFFail} whole={one.Total} />, sort: one => one.SPFFail, end: true },
      { id: 'overrides', title: 'Overrides', cell: one => <Counts of={one.PolicyOverrides} />, blank: one => Object.keys(one.PolicyOverrides).length === 0 },
    ]} />}</Loaded></Card>
}

function TLSSummaries({ days, start, end }: Span) {
  const rows = useResource(() => api.TLSRPTSummaries(start, end, ''), [days])
  return <>
    <Card flush><Loaded of={rows}>{rows => <Table caption="domains" rows={rows} id={one => one.Domain} href={one => href(['reports', 'tls', one.Domain], days === 30 ? {} : { days: String(days) })} sortedBy="failure" descending
      empty="No reports yet. They come once a day to domains that receive them (settings of the domain)."
      columns={[
        { id: 'domain', title: 'Domain', cell: one => <Address value={one.Domain} />, sort: one => one.Domain },
        { id: 'success', title: 'Sessions', cell: one => count(one.Success + one.Failure), sort: one => one.Success + one.Failure, end: true },
        { id: 'failure', title: 'Failed', cell: one => <Share part={one.Failure} whole={one.Success + one.Failure} />, sort: one => one.Failure, end: true },
        { id: 'kinds', title: 'Why', cell: one => <Counts of={one.ResultTypeCounts} />, blank: one => Object.keys(one.ResultTypeCounts).length === 0 },
      ]} />}</Loaded></Card>
    <RecordLookup />
  </>
}

function Share({ part, whole }: { part: number, whole: number }) {
  return part === 0 ? <span class="muted">0</span> : <>{count(part)} <span class="muted">{percent(part, whole)}</span></>
}

function Counts({ of }: { of: Record<string, number> }) {
  const entries = Object.entries(of).sort((a, b) => b[1] - a[1])
  return entries.length === 0 ? <span class="muted">–</span> : <span class="row">{entries.map(([name, value]) => <Badge key={name}>{name} {count(value)}</Badge>)}</span>
}

/** Sums by the day of a report's end, with days on which nothing came. */
export function byDay<Report extends { End: string }>(reports: readonly Report[], days: number, sums: readonly ((report: Report) => number)[], now: Date = new Date()): { labels: string[], values: number[][] } {
  const first = Math.floor(now.getTime() / DAY) - days + 1
  const values = sums.map(() => new Array<number>(days).fill(0))
  for (const report of reports) {
    const place = Math.floor(Date.parse(report.End) / DAY) - first
    if (place >= 0 && place < days) sums.forEach((sum, series) => {
      const row = values[series]
      if (row) row[place] = (row[place] ?? 0) + sum(report)
    })
  }
  const labels = Array.from({ length: days }, (_, place) => day(new Date((first + place) * DAY)).replace(/ \d{4}$/, ''))
  return { labels, values }
}

const total = (rows: readonly api.DMARCRow[], which: (row: api.DMARCRow) => boolean) => rows.reduce((sum, row) => which(row) ? sum + row.Count : sum, 0)
const passes = (row: api.DMARCRow) => row.DKIM === 'pass' || row.SPF === 'pass'

export function DMARCDomainPage({ domain }: { domain: string }) {
  const span = useSpan(), { days, start, end } = span
  const reports = useResource(() => api.DMARCReports(start, end, domain), [domain, days])
  const [raw, setRaw] = useState<unknown>(undefined)
  return <Page title={domain} above={[['Reports', href(['reports', 'dmarc'])], ['DMARC', href(['reports', 'dmarc'])]]} about="Who sent mail in its name, by the reports of those who received it."
    actions={<>{span.select}<LinkButton icon="globe" href={href(['domains', domain])}>Domain</LinkButton></>}>
    <Loaded of={reports}>{reports => {
      const rows = reports.flatMap(report => report.Rows.map((row, at) => ({ report, row, at })))
      const all = rows.map(one => one.row), whole = total(all, () => true)
      const chart = byDay(reports, days, [one => total(one.Rows, passes), one => total(one.Rows, row => !passes(row) && row.Disposition === 'none'), one => total(one.Rows, row => !passes(row) && row.Disposition !== 'none')])
      return <>
        <Tiles>
          <Tile what="Messages" figure={count(whole)} note={`in ${plural(reports.length, 'report')}`} />
          <Tile what="Passed DMARC" figure={percent(total(all, passes), whole)} note={count(total(all, passes))} />
          <Tile what="Quarantined or rejected" figure={count(total(all, row => row.Disposition !== 'none'))} />
          <Tile what="Senders" figure={count(new Set(all.map(row => row.SourceIP)).size)} note="addresses" />
        </Tiles>
        {whole > 0 && <Card title="Messages by day"><Chart title={`Messages by day in the name of ${domain}`} kind="stacked" labels={chart.labels} series={[
          { name: 'Passed', values: chart.values[0] ?? [], tone: 'good' }, { name: 'Failed, delivered', values: chart.values[1] ?? [], tone: 'warn' }, { name: 'Failed, kept off', values: chart.values[2] ?? [], tone: 'bad' },
        ]} /></Card>}
        <Card title="What was reported" flush><Table caption="rows of reports" rows={rows} id={one => `${one.report.ID} ${one.at}`} sortedBy="end" descending empty="No reports of this time." columns={[
          { id: 'end', title: 'Until', cell: one => day(parseTime(one.report.End) ?? new Date(0)), sort: one => Date.parse(one.report.End), fit: true },
          { id: 'who', title: 'Reporter', cell: one => one.report.Organization, sort: one => one.report.Organization, search: one => one.report.Organization },
          { id: 'ip', title: 'Sender', cell: one => <SenderIP ip={one.row.SourceIP} />, sort: one => one.row.SourceIP, search: one => one.row.SourceIP },
          { id: 'from', title: 'From', cell: one => <Address value={one.row.HeaderFrom} />, search: one => one.row.HeaderFrom },
          { id: 'count', title: 'Messages', cell: one => count(one.row.Count), sort: one => one.row.Count, end: true },
          { id: 'dkim', title: 'DKIM', cell: one => <Outcome name={one.row.DKIM} />, sort: one => one.row.DKIM, fit: true },
          { id: 'spf', title: 'SPF', cell: one => <Outcome name={one.row.SPF} />, sort: one => one.row.SPF, fit: true },
          { id: 'disposition', title: 'Treated', cell: one => <Badge state={one.row.Disposition === 'none' ? 'plain' : one.row.Disposition === 'reject' ? 'bad' : 'warn'}>{one.row.Disposition}</Badge>, sort: one => one.row.Disposition, fit: true },
          { id: 'policy', title: 'Policy', cell: one => <>{one.report.Policy}{one.row.Overrides.length > 0 && <span class="muted"> ({one.row.Overrides.join(', ')})</span>}</> },
        ]} actions={one => <Button tone="quiet" small square icon="file" onPress={() => attempt(async () => setRaw(await api.DMARCReportID(domain, one.report.ID)))}>Whole report</Button>} /></Card>
      </>
    }}</Loaded>
    {raw !== undefined && <Raw value={raw} onClose={() => setRaw(undefined)} />}
  </Page>
}

export function TLSDomainPage({ domain }: { domain: string }) {
  const span = useSpan(), { days, start, end } = span
  const reports = useResource(() => api.TLSReports(start, end, domain), [domain, days])
  const [raw, setRaw] = useState<unknown>(undefined)
  return <Page title={domain} above={[['Reports', href(['reports', 'tls'])], ['TLS', href(['reports', 'tls'])]]} about="How connections for its mail went, by the reports of those who made them." actions={span.select}>
    <Loaded of={reports}>{reports => {
      const sum = (report: api.TLSReport, which: 'SuccessfulSessions' | 'FailedSessions') => report.Policies.reduce((all, policy) => all + policy[which], 0)
      const good = reports.reduce((all, one) => all + sum(one, 'SuccessfulSessions'), 0), bad = reports.reduce((all, one) => all + sum(one, 'FailedSessions'), 0)
      const chart = byDay(reports, days, [one => sum(one, 'SuccessfulSessions'), one => sum(one, 'FailedSessions')])
      const failures = reports.flatMap(report => report.Policies.flatMap(policy => policy.Failures.map((failure, at) => ({ report, policy, failure, at }))))
      return <>
        <Tiles>
          <Tile what="Sessions" figure={count(good + bad)} note={`in ${plural(reports.length, 'report')}`} />
          <Tile what="Failed" figure={count(bad)} note={percent(bad, good + bad)} />
          <Tile what="Reporters" figure={count(new Set(reports.map(one => one.Organization)).size)} />
        </Tiles>
        {good + bad > 0 && <Card title="Sessions by day"><Chart title={`Sessions by day for ${domain}`} kind="stacked" labels={chart.labels} series={[
          { name: 'Successful', values: chart.values[0] ?? [], tone: 'good' }, { name: 'Failed', values: chart.values[1] ?? [], tone: 'bad' },
        ]} /></Card>}
        {failures.length > 0 && <Card title="Failures" flush><Table caption="failures" rows={failures} id={one => `${one.report.ID} ${one.policy.PolicyType} ${one.policy.Domain} ${one.at}`} sortedBy="end" descending columns={[
          { id: 'end', title: 'Until', cell: one => day(parseTime(one.report.End) ?? new Date(0)), sort: one => Date.parse(one.report.End), fit: true },
          { id: 'who', title: 'Reporter', cell: one => one.report.Organization, sort: one => one.report.Organization, search: one => one.report.Organization },
          { id: 'type', title: 'What failed', cell: one => <Badge state="bad">{one.failure.ResultType}</Badge>, sort: one => one.failure.ResultType, search: one => one.failure.ResultType },
          { id: 'policy', title: 'Policy', cell: one => `${one.policy.PolicyType} ${one.policy.Domain}` },
          { id: 'mx', title: 'Host', cell: one => <span class="wrap">{one.failure.ReceivingMX || one.failure.ReceivingIP || '–'}</span> },
          { id: 'ip', title: 'From', cell: one => one.failure.SendingIP ? <SenderIP ip={one.failure.SendingIP} /> : '–' },
          { id: 'count', title: 'Sessions', cell: one => count(one.failure.FailedSessions), sort: one => one.failure.FailedSessions, end: true },
          { id: 'more', title: 'Details', cell: one => [one.failure.ReasonCode, one.failure.Information].filter(Boolean).join(' ') || '–' },
        ]} /></Card>}
        <Card title="Reports" flush><Table caption="reports" rows={reports} id={one => one.ID} sortedBy="end" descending empty="No reports of this time." columns={[
          { id: 'end', title: 'Until', cell: one => day(parseTime(one.End) ?? new Date(0)), sort: one => Date.parse(one.End), fit: true },
          { id: 'who', title: 'Reporter', cell: one => one.Organization, sort: one => one.Organization, search: one => one.Organization },
          { id: 'policies', title: 'Policies', cell: one => <span class="row">{one.Policies.map(policy => <Badge key={policy.PolicyType + policy.Domain}>{policy.PolicyType}</Badge>)}</span> },
          { id: 'good', title: 'Successful', cell: one => count(sum(one, 'SuccessfulSessions')), sort: one => sum(one, 'SuccessfulSessions'), end: true },
          { id: 'bad', title: 'Failed', cell: one => count(sum(one, 'FailedSessions')), sort: one => sum(one, 'FailedSessions'), end: true },
          { id: 'received', title: 'Arrived', cell: one => <Time at={one.Received} />, fit: true },
        ]} actions={one => <Button tone="quiet" small square icon="file" onPress={() => attempt(async () => setRaw(await api.TLSReportID(domain, one.ID)))}>Whole report</Button>} /></Card>
      </>
    }}</Loaded>
    {raw !== undefined && <Raw value={raw} onClose={() => setRaw(undefined)} />}
  </Page>
}

function Raw({ value, onClose }: { value: unknown, onClose: () => void }) {
  return <Dialog wide title="Report as it came" onClose={onClose}><CodeBlock text={JSON.stringify(value, null, 2)} what="the report" /></Dialog>
}

const OUTCOMES: Record<string, State> = { pass: 'good', fail: 'bad' }

function Outcome({ name }: { name: string }) {
  return <Badge state={OUTCOMES[name] ?? 'plain'}>{name || '–'}</Badge>
}

/** An address whose names are looked up on demand. */
function SenderIP({ ip }: { ip: string }) {
  const [names, setNames] = useState<string | null>(null)
  const look = () => attempt(async () => setNames((await api.LookupIP(ip)).join(', ') || 'no name'))
  return <span><button type="button" class="linklike mono nowrap" title="Look up its name" onClick={look}>{ip}</button>{names !== null && <><br /><span class="muted small wrap">{names}</span></>}</span>
}
