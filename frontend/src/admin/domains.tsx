// All domains, and adding one.

import { useEffect, useState } from 'preact/hooks'
import * as api from '../api/admin'
import { Actions, Address, Badge, Button, Card, Checkbox, Dialog, Form, Loaded, Notice, Page, Table, TextField, useForm } from '../kit'
import { go, href } from '../lib/router'
import { accounts, domains, need } from './model'

export function DomainsPage() {
  const [adding, setAdding] = useState(false)
  useEffect(() => { void domains.reload() }, [])
  return <Page title="Domains" about="What we receive mail for." actions={<Button tone="primary" icon="plus" onPress={() => setAdding(true)}>Add domain</Button>}>
    <Card flush>
      <Loaded of={domains}>{rows => <Table caption="domains" rows={rows} id={one => one.Domain} href={one => href(['domains', one.Domain])} sortedBy="domain"
        empty={<>No domain yet.<Button tone="primary" icon="plus" onPress={() => setAdding(true)}>Add domain</Button></>}
        columns={[
          { id: 'domain', title: 'Domain', cell: one => <Address value={one.Domain} />, sort: one => one.Domain, search: one => one.Domain },
          { id: 'state', title: 'State', cell: one => <Badge state={one.Disabled ? 'warn' : 'good'}>{one.Disabled ? 'disabled' : 'enabled'}</Badge>, sort: one => Number(one.Disabled), fit: true },
        ]} />}</Loaded>
    </Card>
    {adding && <AddDomain onClose={() => setAdding(false)} />}
  </Page>
}

function AddDomain({ onClose }: { onClose: () => void }) {
  need(accounts)
  const form = useForm({ Domain: '', Account: '', Localpart: '', Disabled: false }, {
    success: 'Domain added',
    check: values => values.Domain.trim() === '' ? { Domain: 'Which domain?' } : values.Account.trim() === '' ? { Account: 'Whose is it?' } : {},
    save: values => api.DomainAdd(values.Disabled, values.Domain.trim(), values.Account.trim(), values.Localpart.trim()),
    done: values => {
      void domains.reload()
      void accounts.reload()
      onClose()
      go(['domains', values.Domain.trim(), 'dns'])
    },
  })
  const isNew = form.values.value.Account.trim() !== '' && accounts.data.value !== undefined &&
    !accounts.data.value.some(one => one.Name === form.values.value.Account.trim())
  return <Dialog title="Add domain" onClose={onClose}>
    <Form model={form} bar={false}>
      <TextField label="Domain" bind={form.field('Domain')} placeholder="example.org" autofocus />
      <TextField label="Account" bind={form.field('Account')} help={isNew ? 'There is no such account: it is made.' : 'Receives mail to postmaster of this domain, and its reports.'} />
      {isNew && <TextField label="Localpart" bind={form.field('Localpart')} suffix={`@${form.values.value.Domain || '…'}`} help="Of the new account's address." />}
      <Checkbox label="Disabled at first" bind={form.field('Disabled')} help="Mail is refused for now and no certificates are asked for: to prepare a move." />
      <Notice>Afterwards you get the DNS records to publish.</Notice>
      <Actions>
        <Button onPress={onClose}>Cancel</Button>
        <Button type="submit" tone="primary" busy={form.busy.value}>Add domain</Button>
      </Actions>
    </Form>
  </Dialog>
}
