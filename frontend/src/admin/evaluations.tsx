// What we are going to report to others: DMARC evaluations and results of TLS, and addresses that get no reports.

import { useState } from 'preact/hooks'
import * as api from '../api/admin'
import { Actions, Address, Badge, Button, Card, CodeBlock, Dialog, Form, Loaded, Page, Table, Tabs, TextField, Time, attempt, confirm, toast, useForm } from '../kit'
import { count, minute } from '../lib/format'
import { explain } from '../lib/problem'
import { useResource } from '../lib/resource'
import { go } from '../lib/router'

export function EvaluationsPage({ tab }: { tab: string | undefined }) {
  return <Page title="Reports we owe" about="Other domains ask for reports on mail in their name, and on our connections to them. What stands here goes out with the next one.">
    <Tabs label="Kinds" current={tab} onChange={id => go(['evaluations', id])} tabs={[
      { id: 'dmarc', title: 'DMARC', view: () => <DMARC /> },
      { id: 'tls', title: 'TLS', view: () => <TLS /> },
      { id: 'suppressed', title: 'Not sent to', view: () => <>
        <SuppressCard title="No DMARC reports to" list={api.DMARCSuppressList} add={api.DMARCSuppressAdd} remove={api.DMARCSuppressRemove} extend={api.DMARCSuppressExtend} />
        <SuppressCard title="No TLS reports to" list={api.TLSRPTSuppressList} add={api.TLSRPTSuppressAdd} remove={api.TLSRPTSuppressRemove} extend={api.TLSRPTSuppressExtend} />
      </> },
    ]} />
  </Page>
}

function DMARC() {
  const rows = useResource(() => api.DMARCEvaluationStats())
  const [opened, setOpened] = useState('')
  const remove = async (domain: string) => {
    if (await confirm({ title: `Forget what is known of ${domain}?`, action: 'Remove evaluations', consequences: ['The owner is not told of these messages.'] }) &&
      await attempt(() => api.DMARCRemoveEvaluations(domain), 'Evaluations removed')) await rows.reload()
  }
  return <Card flush><Loaded of={rows}>{rows => <Table caption="domains" rows={rows} id={one => one.Domain} onOpen={one => setOpened(one.Domain)} sortedBy="domain" empty="Nothing to report."
    columns={[
      { id: 'domain', title: 'Domain', cell: one => <Address value={one.Domain} />, sort: one => one.Domain, search: one => one.Domain },
      { id: 'count', title: 'Messages', cell: one => count(one.Count), sort: one => one.Count, end: true },
      { id: 'dispositions', title: 'Treated', cell: one => <span class="row">{one.Dispositions.map(name => <Badge key={name}>{name}</Badge>)}</span> },
      { id: 'send', title: 'Report', cell: one => <Badge state={one.SendReport ? 'accent' : 'plain'}>{one.SendReport ? 'will be sent' : 'not worth one'}</Badge>, fit: true },
    ]} actions={one => <Button tone="quiet" small square icon="trash" onPress={() => remove(one.Domain)}>Remove evaluations</Button>} />}</Loaded>
  {opened && <EvaluationDetails domain={opened} onClose={() => setOpened('')} />}
  </Card>
}

function EvaluationDetails({ domain, onClose }: { domain: string, onClose: () => void }) {
  const rows = useResource(() => api.DMARCEvaluationsDomain(domain), [domain])
  return <Dialog wide title={`Messages in the name of ${domain}`} onClose={onClose}>
    <Loaded of={rows}>{rows => <Table caption="messages" rows={rows.map((one, at) => ({ ...one, at }))} id={one => String(one.at)} sortedBy="time" descending columns={[
      { id: 'time', title: 'Time', cell: one => <Time at={one.Evaluated} />, sort: one => Date.parse(one.Evaluated), fit: true },
      { id: 'ip', title: 'From', cell: one => <span class="mono">{one.SourceIP}</span>, sort: one => one.SourceIP, search: one => one.SourceIP },
      { id: 'header', title: 'Header From', cell: one => <Address value={one.HeaderFrom} /> },
      { id: 'envelope', title: 'Sender', cell: one => <Address value={one.EnvelopeFrom} /> },
      { id: 'dkim', title: 'DKIM', cell: one => one.DKIM, sort: one => one.DKIM, fit: true },
      { id: 'spf', title: 'SPF', cell: one => one.SPF, sort: one => one.SPF, fit: true },
      { id: 'disposition', title: 'Treated', cell: one => one.Disposition, sort: one => one.Disposition, fit: true },
      { id: 'to', title: 'Reports to', cell: one => <span class="wrap small">{one.Addresses.join(', ') || '–'}</span> },
    ]} />}</Loaded>
  </Dialog>
}

function TLS() {
  const rows = useResource(() => api.TLSRPTResults())
  const [opened, setOpened] = useState<api.TLSResult | null>(null)
  const remove = async (one: api.TLSResult) => {
    if (await confirm({ title: `Forget the results of ${one.DayUTC} for ${one.PolicyDomain}?`, action: 'Remove results', consequences: ['The owner is not told of these sessions.'] }) &&
      await attempt(() => api.TLSRPTRemoveResults(one.IsHost, one.PolicyDomain, one.DayUTC), 'Results removed')) await rows.reload()
  }
  const sum = (one: api.TLSResult, which: 'SuccessfulSessions' | 'FailedSessions') => one.Results.reduce((all, policy) => all + policy[which], 0)
  return <>
    <Card flush><Loaded of={rows}>{rows => <Table caption="results" rows={rows} id={one => `${one.DayUTC} ${one.IsHost} ${one.PolicyDomain} ${one.RecipientDomain}`} onOpen={setOpened} sortedBy="day" descending empty="Nothing to report."
      columns={[
        { id: 'domain', title: 'Policy domain', cell: one => <><Address value={one.PolicyDomain} /> {one.IsHost && <Badge>host</Badge>}</>, sort: one => one.PolicyDomain, search: one => one.PolicyDomain },
        { id: 'day', title: 'Day (UTC)', cell: one => one.DayUTC, sort: one => one.DayUTC, fit: true },
        { id: 'recipient', title: 'Mail to', cell: one => <Address value={one.RecipientDomain} />, sort: one => one.RecipientDomain, search: one => one.RecipientDomain },
        { id: 'good', title: 'Successful', cell: one => count(sum(one, 'SuccessfulSessions')), sort: one => sum(one, 'SuccessfulSessions'), end: true },
        { id: 'bad', title: 'Failed', cell: one => count(sum(one, 'FailedSessions')), sort: one => sum(one, 'FailedSessions'), end: true },
        { id: 'send', title: 'Report', cell: one => <Badge state={one.SendReport ? 'accent' : 'plain'}>{one.SendReport ? 'will be sent' : 'not worth one'}</Badge>, fit: true },
      ]} actions={one => <Button tone="quiet" small square icon="trash" onPress={() => remove(one)}>Remove results</Button>} />}</Loaded></Card>
    <RecordLookup />
    {opened && <Dialog wide title={`${opened.PolicyDomain}, ${opened.DayUTC}`} onClose={() => setOpened(null)}><CodeBlock text={JSON.stringify(opened.Results, null, 2)} what="the results" /></Dialog>}
  </>
}

export function RecordLookup() {
  const [domain, setDomain] = useState(''), [found, setFound] = useState('')
  const look = async (event: Event) => {
    event.preventDefault()
    try {
      setFound((await api.LookupTLSRPTRecord(domain.trim())).Record)
    } catch (error) {
      setFound('')
      toast(explain(error), 'bad')
    }
  }
  return <Card title="Look up a TLS reporting record" about="Where a domain wants reports to go.">
    <form class="row" onSubmit={look}>
      <input class="input lookup" aria-label="Domain" placeholder="example.org" value={domain} onInput={event => setDomain(event.currentTarget.value)} />
      <Button type="submit" disabled={domain.trim() === ''}>Look up</Button>
    </form>
    {found && <CodeBlock text={found} breaks />}
  </Card>
}

const MONTH = 30 * 86_400_000

function SuppressCard({ title, list, add, remove, extend }: {
  title: string, list: () => Promise<api.SuppressAddress[]>, add: (address: string, until: string, comment: string) => Promise<void>, remove: (address: string) => Promise<void>, extend: (address: string, until: string) => Promise<void>
}) {
  const rows = useResource(list), [adding, setAdding] = useState(false)
  const again = () => rows.reload()
  const longer = async (one: api.SuppressAddress) => {
    const until = new Date(Math.max(Date.now(), Date.parse(one.Until)) + MONTH)
    if (await attempt(() => extend(one.ReportingAddress, until.toISOString()), `Until ${minute(until)}`)) await again()
  }
  return <Card title={title} about="Addresses whose reports only come back." flush actions={<Button icon="plus" onPress={() => setAdding(true)}>Add address</Button>}>
    <Loaded of={rows}>{rows => <Table caption="addresses" rows={rows} id={one => one.ReportingAddress} sortedBy="address" empty="None." columns={[
      { id: 'address', title: 'Address', cell: one => <Address value={one.ReportingAddress} />, sort: one => one.ReportingAddress, search: one => one.ReportingAddress },
      { id: 'until', title: 'Until', cell: one => Date.parse(one.Until) < Date.now() ? <Badge>over</Badge> : <Time at={one.Until} full />, sort: one => Date.parse(one.Until) },
      { id: 'comment', title: 'Comment', cell: one => one.Comment, blank: one => one.Comment === '' },
    ]} actions={one => <>
      <Button small onPress={() => longer(one)}>A month more</Button>
      <Button tone="quiet" small square icon="trash" onPress={async () => { if (await attempt(() => remove(one.ReportingAddress), 'Reports go there again')) await again() }}>Remove</Button>
    </>} />}</Loaded>
    {adding && <AddSuppressed onClose={() => setAdding(false)} add={add} done={again} />}
  </Card>
}

function AddSuppressed({ onClose, add, done }: { onClose: () => void, add: (address: string, until: string, comment: string) => Promise<void>, done: () => Promise<void> }) {
  const form = useForm({ Address: '', Days: '30', Comment: '' }, {
    success: 'Address added',
    check: values => ({ ...values.Address.includes('@') ? {} : { Address: 'An e-mail address' }, ...Number(values.Days) > 0 ? {} : { Days: 'A number of days' } }),
    save: values => add(values.Address.trim(), new Date(Date.now() + Number(values.Days) * 86_400_000).toISOString(), values.Comment),
    done: () => {
      void done()
      onClose()
    },
  })
  return <Dialog title="Send no reports to" onClose={onClose}>
    <Form model={form} bar={false}>
      <TextField label="Address" type="email" bind={form.field('Address')} autofocus />
      <TextField label="For" bind={form.field('Days')} suffix="days" />
      <TextField label="Comment" bind={form.field('Comment')} />
      <Actions><Button onPress={onClose}>Cancel</Button><Button type="submit" tone="primary" busy={form.busy.value}>Add address</Button></Actions>
    </Form>
  </Dialog>
}

