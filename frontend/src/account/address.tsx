// The addresses of the account, and one of them: where its mail goes, by which rules, what is refused and forwarded.

import * as api from '../api/account'
import { Address, Badge, Card, Checkbox, CopyButton, Empty, Fields, Form, ListField, Notice, Page, Table, Tabs, TextField, useForm } from '../kit'
import { go, href } from '../lib/router'
import { account, addresses } from './model'
import { about } from './overview'
import { MailboxField, WithAccount } from './parts'
import { Rules } from './rules'

export function AddressesPage() {
  return <Page title="Addresses" about="What others write to, and what you log in with. The administrator adds and removes them.">
    <Card flush><WithAccount>{({ Config }) => <Table caption="addresses" id={one => one} empty="None: nobody can write to you." rows={addresses(Config)} href={one => href(['addresses', one])}
      columns={[
        { id: 'address', title: 'Address', cell: one => <Address value={one} />, sort: one => one, search: one => one },
        { id: 'kind', title: 'Kind', cell: one => one.startsWith('@') ? <Badge>catch-all</Badge> : '', blank: one => !one.startsWith('@'), fit: true },
        { id: 'about', title: 'Mail to it', cell: one => { const found = Config.Destinations[one]; return found ? about(found) : '' } },
        { id: 'name', title: 'Name in From', cell: one => Config.Destinations[one]?.FullName || <span class="muted">{Config.FullName || '–'}</span> },
      ]} />}</WithAccount></Card>
  </Page>
}

export interface PartProps { address: string, destination: api.Destination }

export function AddressPage({ address, tab }: { address: string, tab: string | undefined }) {
  const isCatchall = address.startsWith('@')
  return <Page title={address} above={[['Addresses', href(['addresses'])]]} badge={isCatchall ? <Badge>catch-all</Badge> : <CopyButton text={address} what="the address" />}
    about={isCatchall ? 'All addresses of the domain that nobody has.' : undefined}>
    <WithAccount>{({ Config }) => {
      const destination = Config.Destinations[address]
      if (!destination) return <Card><Empty icon="search">There is no such address. <a href={href(['addresses'])}>To all of them</a></Empty></Card>
      const part = { address, destination }
      return <>
        {destination.SMTPError !== null && <Notice state="warn">All mail to this address is refused. <a href={href(['addresses', address, 'refusals'])}>Change that</a></Notice>}
        <Tabs label={`Parts of ${address}`} current={tab} onChange={id => go(['addresses', address, id])} tabs={[
          { id: 'delivery', title: 'Delivery', view: () => <Delivery {...part} /> },
          { id: 'rules', title: 'Rules', extra: destination.Rulesets.length > 0 ? <Badge>{destination.Rulesets.length}</Badge> : undefined, view: () => <Rules {...part} /> },
          { id: 'forwarding', title: 'Forwarding', extra: destination.Forward.length > 0 ? <Badge>{destination.Forward.length}</Badge> : undefined, view: () => <Forwarding {...part} /> },
          { id: 'refusals', title: 'Refusals', view: () => <Refusals {...part} /> },
        ]} />
      </>
    }}</WithAccount>
  </Page>
}

/** Saves what is different, if the address is still as it was shown, and shows it as it is then. */
export async function saveDestination(address: string, old: api.Destination, change: Partial<api.Destination>): Promise<void> {
  try {
    await api.DestinationSave(address, old, { ...old, ...change })
  } finally {
    await account.reload()
  }
}

function Delivery({ address, destination }: PartProps) {
  const form = useForm({ old: destination, Mailbox: destination.Mailbox ?? '', FullName: destination.FullName }, {
    save: values => saveDestination(address, values.old, { Mailbox: values.Mailbox.trim() || null, FullName: values.FullName.trim() }),
  })
  return <Card title="Delivery"><Form model={form}>
    <Fields>
      <MailboxField label="Mailbox" bind={form.field('Mailbox')} placeholder="Inbox" help="For mail that no rule is for. A new one is made when it is needed." />
      <TextField label="Name in From" bind={form.field('FullName')} maxLength={200} placeholder={account.data.value?.Config.FullName ?? ''} help="For messages sent with this address. Empty: the account’s." />
    </Fields>
  </Form></Card>
}

function Forwarding({ address, destination }: PartProps) {
  const form = useForm({ old: destination, Forward: destination.Forward, ForwardOnly: destination.ForwardOnly }, {
    check: values => values.Forward.some(one => !/^[^\s]+@[^\s@]+$/.test(one)) ? { Forward: 'One whole address a line' } : {},
    save: values => saveDestination(address, values.old, { Forward: values.Forward, ForwardOnly: values.ForwardOnly && values.Forward.length > 0 }),
  })
  return <Card title="Forwarding" about="A copy of what is accepted, and is not junk, goes on to addresses elsewhere."><Form model={form}>
    <ListField label="Forward to" bind={form.field('Forward')} placeholder="you@elsewhere.example" help="One address a line. Empty: nothing is forwarded." />
    <Checkbox label="Keep no copy here" bind={form.field('ForwardOnly')} help="What is not forwarded, or what the other server does not take, is kept all the same." />
    {form.values.value.ForwardOnly && form.values.value.Forward.length > 0 && <Notice>Mail is then in the other account alone. Whether it counts as junk there is for that server to say.</Notice>}
  </Form></Card>
}

function Refusals({ address, destination }: PartProps) {
  const form = useForm({
    old: destination, refuses: destination.SMTPError !== null, SMTPError: destination.SMTPError ?? '',
    verified: destination.MessageAuthRequiredSMTPError !== null, MessageAuthRequiredSMTPError: destination.MessageAuthRequiredSMTPError ?? '',
  }, {
    check: values => values.refuses && !/^(421|550)( |$)/.test(values.SMTPError.trim()) ? { SMTPError: 'Begins with 421 (try again later) or 550 (for good)' } : {},
    save: values => saveDestination(address, values.old, {
      SMTPError: values.refuses ? values.SMTPError.trim() : null,
      MessageAuthRequiredSMTPError: values.verified ? values.MessageAuthRequiredSMTPError.trim() : null,
    }),
  })
  const now = form.values.value
  return <Card title="Refusals" about="What senders are told instead of having their mail taken."><Form model={form}>
    <Checkbox label="Refuse all mail to this address" bind={{ ...form.field('refuses'), set: on => { form.values.value = { ...form.values.value, refuses: on, SMTPError: on ? now.SMTPError || '550 this address is not in use any more' : now.SMTPError } } }} />
    {now.refuses && <TextField label="Reply" bind={form.field('SMTPError')} mono help="550 and a text refuses for good; 421 asks the other server to try again, for some days." />}
    <Checkbox label="Refuse mail whose sender is not verified" bind={{ ...form.field('verified'), set: on => { form.values.value = { ...form.values.value, verified: on, MessageAuthRequiredSMTPError: on ? now.MessageAuthRequiredSMTPError || 'only mail with verified sender is accepted here' : now.MessageAuthRequiredSMTPError } } }}
      help="Neither SPF nor DKIM vouches for the domain in From. Keeps off forged mail, and some honest mail of badly run servers." />
    {now.verified && <TextField label="Text of the refusal" bind={form.field('MessageAuthRequiredSMTPError')} />}
  </Form></Card>
}
