// One alias: who may do what with it, and its members.

import { signal } from '@preact/signals'
import { useMemo, useState } from 'preact/hooks'
import * as api from '../api/admin'
import { Actions, Address, Button, Card, Checkbox, Dialog, Form, ListField, Loaded, Page, Table, attempt, confirm, useForm } from '../kit'
import { plural } from '../lib/format'
import { useResource } from '../lib/resource'
import { go, href } from '../lib/router'

export function AliasPage({ domain, localpart }: { domain: string, localpart: string }) {
  const config = useResource(() => api.DomainConfig(domain), [domain])
  const address = `${localpart}@${domain}`
  const remove = async () => {
    const yes = await confirm({ title: `Remove ${address}?`, action: 'Remove alias', type: address, consequences: ['Mail to it is refused from now on. The members keep their own addresses.'] })
    if (yes && await attempt(() => api.AliasRemove(localpart, domain), 'Alias removed')) go(['domains', domain])
  }
  return <Page title={address} above={[['Domains', href(['domains'])], [domain, href(['domains', domain])]]} about="An alias"
    actions={<Button tone="danger" icon="trash" onPress={remove}>Remove alias</Button>}>
    <Loaded of={config}>{({ Aliases }) => {
      const alias = Aliases[localpart]
      return alias ? <>
        <Members localpart={localpart} domain={domain} alias={alias} changed={config.reload} />
        <AliasSettings localpart={localpart} domain={domain} alias={alias} changed={config.reload} />
      </> : <Card><p>There is no such alias.</p></Card>
    }}</Loaded>
  </Page>
}

interface PartProps { localpart: string, domain: string, alias: api.Alias, changed: () => Promise<void> }

function Members({ localpart, domain, alias, changed }: PartProps) {
  return <>
    <AddressesCard title="Members" about="Addresses of accounts here." addresses={alias.Addresses} noun="member" changed={changed}
      gone="They get no mail to this alias any more." add={list => api.AliasAddressesAdd(localpart, domain, list)} remove={list => api.AliasAddressesRemove(localpart, domain, list)} />
    <AddressesCard title="Forwarded to" about="Addresses of other servers that get a copy of what a member accepts." addresses={alias.Forward} noun="address" many="addresses" changed={changed}
      gone="They get no copies any more." add={list => api.AliasForwardsAdd(localpart, domain, list)} remove={list => api.AliasForwardsRemove(localpart, domain, list)} />
  </>
}

interface AddressesProps {
  title: string
  about: string
  addresses: readonly string[]
  noun: string
  many?: string
  /** What follows from removing some. */
  gone: string
  add: (addresses: string[]) => Promise<void>
  remove: (addresses: string[]) => Promise<void>
  changed: () => Promise<void>
}

function AddressesCard({ title, about, addresses, noun, many = `${noun}s`, gone, add, remove, changed }: AddressesProps) {
  const selection = useMemo(() => signal<ReadonlySet<string>>(new Set()), [])
  const [adding, setAdding] = useState(false)
  const form = useForm({ Addresses: [] as string[] }, {
    success: 'Added',
    check: values => values.Addresses.length === 0 ? { Addresses: 'At least one' } : {},
    save: values => add(values.Addresses),
    done: () => {
      setAdding(false)
      form.reset({ Addresses: [] })
      void changed()
    },
  })
  const removeChosen = async () => {
    const chosen = [...selection.value]
    const yes = await confirm({ title: `Remove ${plural(chosen.length, noun, many)}?`, action: 'Remove', consequences: [gone] })
    if (yes && await attempt(() => remove(chosen), 'Removed')) {
      selection.value = new Set()
      await changed()
    }
  }
  return <Card title={title} about={about} flush actions={<Button icon="plus" onPress={() => setAdding(true)}>Add {many}</Button>}>
    <Table caption={many} rows={addresses} id={one => one} selection={selection} sortedBy="address" empty="None."
      bulk={<Button small tone="danger" icon="trash" onPress={removeChosen}>Remove</Button>}
      columns={[{ id: 'address', title: 'Address', cell: one => <Address value={one} />, sort: one => one, search: one => one }]} />
    {adding && <Dialog title={`Add ${many}`} onClose={() => setAdding(false)}>
      <Form model={form} bar={false}>
        <ListField label="Addresses" bind={form.field('Addresses')} rows={6} mono help="One a line." />
        <Actions><Button onPress={() => setAdding(false)}>Cancel</Button><Button type="submit" tone="primary" busy={form.busy.value}>Add</Button></Actions>
      </Form>
    </Dialog>}
  </Card>
}

function AliasSettings({ localpart, domain, alias, changed }: PartProps) {
  const form = useForm({ PostPublic: alias.PostPublic, ListMembers: alias.ListMembers, AllowMsgFrom: alias.AllowMsgFrom }, {
    save: values => api.AliasUpdate(localpart, domain, values.PostPublic, values.ListMembers, values.AllowMsgFrom),
    done: () => { void changed() },
  })
  return <Card title="Settings"><Form model={form}>
    <Checkbox label="Anybody may write to it" bind={form.field('PostPublic')} help="Otherwise only members, with a verified sender." />
    <Checkbox label="Members see each other" bind={form.field('ListMembers')} help="In their account pages." />
    <Checkbox label="Members may send from it" bind={form.field('AllowMsgFrom')} help="With the alias as From." />
  </Form></Card>
}
