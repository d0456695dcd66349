// All accounts, and adding one.

import { useEffect, useState } from 'preact/hooks'
import * as api from '../api/admin'
import { Actions, Badge, Button, Card, Dialog, Form, Loaded, Page, Progress, Select, Table, TextField, useForm, type Column } from '../kit'
import { size } from '../lib/format'
import { go, href } from '../lib/router'
import { accounts, domainNames, domains, need } from './model'

const COLUMNS: readonly Column<api.AccountListed>[] = [
  { id: 'name', title: 'Account', cell: one => one.Name, sort: one => one.Name, search: one => one.Name },
  { id: 'about', title: 'Description', cell: one => one.Description, search: one => one.Description, blank: one => one.Description === '' },
  { id: 'addresses', title: 'Addresses', cell: one => one.Addresses, sort: one => one.Addresses, end: true },
  {
    id: 'storage', title: 'Storage', sort: one => one.StorageUsed, fit: true,
    cell: one => one.StorageLimit > 0
      ? <Progress label={`Storage of ${one.Name}`} limits value={one.StorageUsed} whole={one.StorageLimit}>{`${size(one.StorageUsed)} of ${size(one.StorageLimit)}`}</Progress>
      : size(one.StorageUsed),
  },
  { id: 'state', title: 'Login', cell: one => <Badge state={one.Disabled ? 'warn' : 'good'}>{one.Disabled ? 'disabled' : 'enabled'}</Badge>, sort: one => Number(one.Disabled), fit: true },
]

export function AccountsPage() {
  const [adding, setAdding] = useState(false)
  useEffect(() => { void accounts.reload() }, [])
  return <Page title="Accounts" about="Who has mail here." actions={<Button tone="primary" icon="plus" onPress={() => setAdding(true)}>Add account</Button>}>
    <Card flush>
      <Loaded of={accounts}>{rows => <Table caption="accounts" rows={rows} columns={COLUMNS} id={one => one.Name} href={one => href(['accounts', one.Name])} sortedBy="name"
        empty={<>No account yet.<Button tone="primary" icon="plus" onPress={() => setAdding(true)}>Add account</Button></>} />}</Loaded>
    </Card>
    {adding && <AddAccount onClose={() => setAdding(false)} />}
  </Page>
}

function AddAccount({ onClose }: { onClose: () => void }) {
  need(domains)
  const form = useForm({ Localpart: '', Domain: domainNames()[0] ?? '', Name: '' }, {
    success: 'Account added',
    check: values => values.Localpart.trim() === '' ? { Localpart: 'Which address?' } : {},
    save: values => api.AccountAdd(values.Name.trim() || values.Localpart.trim(), `${values.Localpart.trim()}@${values.Domain}`),
    done: values => {
      void accounts.reload()
      onClose()
      go(['accounts', values.Name.trim() || values.Localpart.trim(), 'login'])
    },
  })
  const { Localpart, Domain } = form.values.value
  if (Domain === '' && domainNames()[0]) form.field('Domain').set(domainNames()[0] ?? '')
  return <Dialog title="Add account" onClose={onClose}>
    <Form model={form} bar={false}>
      <TextField label="Localpart" bind={form.field('Localpart')} suffix={`@${Domain || '…'}`} autofocus />
      <Select label="Domain" bind={form.field('Domain')} choices={domainNames().map(value => ({ value, label: value }))} />
      <TextField label="Name" bind={form.field('Name')} placeholder={Localpart || 'as the localpart'} help="Of the account: not an address, and not shown to others." />
      <Actions>
        <Button onPress={onClose}>Cancel</Button>
        <Button type="submit" tone="primary" busy={form.busy.value}>Add account</Button>
      </Actions>
    </Form>
  </Dialog>
}
