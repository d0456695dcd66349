// One account: addresses, limits, login, keys, routes and what was tried.

import { useState } from 'preact/hooks'
import * as api from '../api/admin'
import {
  Actions, Address, Badge, Button, Card, Checkbox, CopyButton, Dialog, Facts, Fields, Form, Loaded, Menu, Notice, NumberField, Page, Progress, Select, SizeField, Table, Tabs,
  TextField, Time, attempt, confirm, useForm,
} from '../kit'
import { size } from '../lib/format'
import { useResource } from '../lib/resource'
import { go, href } from '../lib/router'
import { accounts, domainNames, domains, need, splitAddress } from './model'
import { removeAddress } from './domain'
import { LoginAttemptsTable, RoutesEditor } from './parts'

interface PartProps { name: string, info: api.AccountInfo, changed: () => Promise<void> }

export function AccountPage({ name, tab }: { name: string, tab: string | undefined }) {
  const info = useResource(() => api.Account(name), [name])
  need(domains)
  const value = info.data.value
  const remove = async () => {
    const yes = await confirm({
      title: `Remove the account ${name}?`, action: 'Remove account and its mail', type: name,
      consequences: ['All of its mail is erased. Nothing brings it back.', 'Mail to its addresses is refused from now on.', 'It is logged out everywhere.'],
    })
    if (yes && await attempt(() => api.AccountRemove(name), 'Account removed')) {
      void accounts.reload()
      go(['accounts'])
    }
  }
  return <Page title={name} above={[['Accounts', href(['accounts'])]]} about={value?.Config.Description || value?.Config.FullName || undefined}
    badge={value && value.Config.LoginDisabled !== null && <Badge state="warn">login disabled</Badge>}
    actions={<Menu label="More" icon="more" items={[
      { text: 'Its messages in the queue', icon: 'queue', run: () => go(['queue'], { account: name }) },
      null,
      { text: 'Remove account', icon: 'trash', danger: true, run: remove },
    ]} />}>
    <Loaded of={info}>{info => {
      const part = { name, info, changed: async () => { await reloadAll() } }
      return <Tabs label={`Parts of ${name}`} current={tab} onChange={id => go(['accounts', name, id])} tabs={[
        { id: 'addresses', title: 'Addresses', view: () => <Addresses {...part} /> },
        { id: 'settings', title: 'Limits', view: () => <Settings {...part} /> },
        { id: 'login', title: 'Login', view: () => <LoginPart {...part} /> },
        { id: 'attempts', title: 'Attempts', view: () => <Attempts name={name} /> },
        { id: 'routes', title: 'Routes', view: () => <RoutesEditor routes={info.Config.Routes} about="For mail of this account, before all others."
          onSave={async routes => {
            await api.AccountRoutesSave(name, routes)
            await part.changed()
          }} /> },
      ]} />
    }}</Loaded>
  </Page>

  async function reloadAll() {
    await info.reload()
    void accounts.reload()
  }
}

function Addresses({ name, info, changed }: PartProps) {
  const [adding, setAdding] = useState(false)
  const leave = async (membership: api.AliasMembership) => {
    const [localpart, domain] = splitAddress(membership.Alias)
    const yes = await confirm({ title: `Leave ${membership.Alias}?`, action: 'Remove from alias', consequences: [`${membership.Address} gets no mail to it any more.`] })
    if (yes && await attempt(() => api.AliasAddressesRemove(localpart, domain, [membership.Address]), 'Removed from the alias')) await changed()
  }
  return <>
    <Card title="Addresses" about="Also the names to log in with." flush actions={<Button icon="plus" onPress={() => setAdding(true)}>Add address</Button>}>
      <Table caption="addresses" rows={Object.entries(info.Config.Destinations).map(([address, destination]) => ({ address, destination }))} id={one => one.address} sortedBy="address"
        empty="No address: nobody can write to it, or log in."
        columns={[
          { id: 'address', title: 'Address', cell: one => <><Address value={one.address} /> {one.address.startsWith('@') && <Badge>catch-all</Badge>}</>, sort: one => one.address, search: one => one.address },
          { id: 'mailbox', title: 'Mailbox', cell: one => one.destination.Mailbox ?? 'Inbox' },
          { id: 'refuses', title: 'Refuses', cell: one => one.destination.SMTPError ?? '', blank: one => one.destination.SMTPError === null },
        ]} actions={one => <Button tone="quiet" small square icon="trash" onPress={async () => {
          if (await removeAddress(one.address, name)) await changed()
        }}>Remove address</Button>} />
    </Card>
    <Card title="Member of aliases" flush>
      <Table caption="aliases" rows={info.Aliases} id={one => `${one.Alias} ${one.Address}`} empty="Of none."
        columns={[
          { id: 'alias', title: 'Alias', cell: one => {
            const [localpart, domain] = splitAddress(one.Alias)
            return <a href={href(['aliases', domain, localpart])}><Address value={one.Alias} /></a>
          }, sort: one => one.Alias },
          { id: 'address', title: 'As', cell: one => <Address value={one.Address} /> },
        ]} actions={one => <Button tone="quiet" small square icon="trash" onPress={() => leave(one)}>Remove from alias</Button>} />
    </Card>
    {adding && <AddAddress name={name} onClose={() => setAdding(false)} done={changed} />}
  </>
}

function AddAddress({ name, onClose, done }: { name: string, onClose: () => void, done: () => Promise<void> }) {
  const form = useForm({ Localpart: '', Domain: domainNames()[0] ?? '' }, {
    success: 'Address added',
    save: values => api.AddressAdd(`${values.Localpart.trim()}@${values.Domain}`, name),
    done: () => {
      void done()
      onClose()
    },
  })
  return <Dialog title="Add address" onClose={onClose}>
    <Form model={form} bar={false}>
      <TextField label="Localpart" bind={form.field('Localpart')} suffix={`@${form.values.value.Domain}`} help="Empty: all other addresses of the domain." autofocus />
      <Select label="Domain" bind={form.field('Domain')} choices={domainNames().map(value => ({ value, label: value }))} />
      <Actions><Button onPress={onClose}>Cancel</Button><Button type="submit" tone="primary" busy={form.busy.value}>Add address</Button></Actions>
    </Form>
  </Dialog>
}

function Settings({ name, info, changed }: PartProps) {
  const { Config } = info
  const form = useForm({
    MaxOutgoingMessagesPerDay: Config.MaxOutgoingMessagesPerDay, MaxFirstTimeRecipientsPerDay: Config.MaxFirstTimeRecipientsPerDay, QuotaMessageSize: Config.QuotaMessageSize,
    NoFirstTimeSenderDelay: Config.NoFirstTimeSenderDelay, NoCustomPassword: Config.NoCustomPassword,
  }, {
    save: values => api.AccountSettingsSave(name, values),
    done: () => { void changed() },
  })
  return <>
    <Card title="Storage">
      {info.StorageLimit > 0 ? <Progress label="Storage in use" limits value={info.StorageUsed} whole={info.StorageLimit}>{`${size(info.StorageUsed)} of ${size(info.StorageLimit)}`}</Progress>
        : <p>{size(info.StorageUsed)} <span class="muted">in use, without limit</span></p>}
    </Card>
    <Card title="Limits"><Form model={form}>
      <Fields>
        <SizeField label="Quota" bind={form.field('QuotaMessageSize')} help="Like 500m or 20g. 0: as the server has it; -1: none." />
        <NumberField label="Messages a day" bind={form.field('MaxOutgoingMessagesPerDay')} min={0} help="Times recipients, in any 24 hours." />
        <NumberField label="New recipients a day" bind={form.field('MaxFirstTimeRecipientsPerDay')} min={0} help="Never written to before." />
      </Fields>
      <Checkbox label="Accept mail of unknown senders without delay" bind={form.field('NoFirstTimeSenderDelay')} help="The delay keeps off senders in a hurry." />
      <Checkbox label="Passwords are generated" bind={form.field('NoCustomPassword')} help="The owner cannot choose one, which may be in use elsewhere." />
    </Form></Card>
  </>
}

/** Twelve characters without those that look alike, by the browser's own source of chance. */
export function newPassword(): string {
  const letters = 'abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789'
  const most = 256 - (256 % letters.length), made: string[] = []
  while (made.length < 12)
    for (const octet of crypto.getRandomValues(new Uint8Array(24)))
      if (octet < most && made.length < 12) made.push(letters[octet % letters.length] ?? '')
  return made.join('')
}

function LoginPart({ name, info, changed }: PartProps) {
  const [generated, setGenerated] = useState('')
  const keys = useResource(() => api.TLSPublicKeys(name), [name])
  const password = useForm({ Password: '' }, {
    success: 'Password set. Other sessions are logged out.',
    check: values => [...values.Password].length < 8 ? { Password: 'At least 8 characters' } : {},
    save: values => api.SetPassword(name, values.Password),
    done: () => password.reset({ Password: '' }),
  })
  const disabled = useForm({ Message: info.Config.LoginDisabled ?? '' }, {
    success: 'Login disabled',
    check: values => values.Message.trim() === '' ? { Message: 'What are people told?' } : {},
    save: values => api.AccountLoginDisabledSave(name, values.Message.trim()),
    done: () => { void changed() },
  })
  const generate = () => {
    const made = newPassword()
    setGenerated(made)
    password.field('Password').set(made)
  }
  const enable = async () => {
    if (await attempt(() => api.AccountLoginDisabledSave(name, ''), 'Login enabled')) {
      disabled.reset({ Message: '' })
      await changed()
    }
  }
  return <>
    <Card title="Password"><Form model={password} save="Set password">
      <TextField label="New password" type="password" bind={password.field('Password')} autocomplete="new-password" />
      <div class="row">
        <Button icon="key" onPress={generate}>Generate one</Button>
        {generated !== '' && generated === password.values.value.Password && <span class="copyable"><code>{generated}</code><CopyButton text={generated} what="the password" /></span>}
      </div>
      {generated !== '' && generated === password.values.value.Password && <Notice>It is shown here and never again.</Notice>}
    </Form></Card>
    <Card title="Permission to log in" about="Mail for the account is taken either way.">
      {info.Config.LoginDisabled !== null
        ? <><Facts rows={[['People are told', info.Config.LoginDisabled]]} /><div class="row"><Button icon="play" onPress={enable}>Enable login</Button></div></>
        : <Form model={disabled} save="Disable login"><TextField label="Disable, and tell people why" bind={disabled.field('Message')} maxLength={256} placeholder="your account is closed, please call us" help="All sessions end." /></Form>}
    </Card>
    <Card title="TLS keys" about="Mail programs with one of these keys log in without a password. The owner adds them." flush>
      <Loaded of={keys}>{rows => <Table caption="keys" rows={rows} id={one => one.Fingerprint} empty="None." columns={[
        { id: 'name', title: 'Name', cell: one => one.Name || '–', sort: one => one.Name },
        { id: 'type', title: 'Type', cell: one => one.Type },
        { id: 'address', title: 'Login address', cell: one => <Address value={one.LoginAddress} /> },
        { id: 'preauth', title: 'IMAP', cell: one => one.NoIMAPPreauth ? 'asks for a login' : 'logged in at once' },
        { id: 'created', title: 'Added', cell: one => <Time at={one.Created} /> },
        { id: 'fingerprint', title: 'Fingerprint', cell: one => <code class="small">{one.Fingerprint}</code> },
      ]} />}</Loaded>
    </Card>
  </>
}

function Attempts({ name }: { name: string }) {
  const rows = useResource(() => api.LoginAttempts(name, 200), [name])
  return <Card title="Login attempts" flush><Loaded of={rows}>{rows => <LoginAttemptsTable rows={rows} />}</Loaded></Card>
}
