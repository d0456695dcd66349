// Recipients that nothing is sent to any more, since deliveries to them failed, or somebody said so.

import { useState } from 'preact/hooks'
import * as api from '../api/account'
import { Actions, Address, Badge, Button, Card, Dialog, Form, Loaded, Notice, Page, Table, TextField, Time, attempt, confirm, useForm } from '../kit'
import { useResource } from '../lib/resource'
import { href } from '../lib/router'
import { account, need } from './model'

export function SuppressionPage() {
  need(account)
  const rows = useResource(() => api.SuppressionList()), [adding, setAdding] = useState(false)
  const remove = async (one: api.Suppression) => {
    if (await confirm({ title: `Send to ${one.OriginalAddress} again?`, action: 'Remove from list', harmless: true, consequences: ['If deliveries fail again, it comes back.'] }) &&
      await attempt(() => api.SuppressionRemove(one.OriginalAddress), 'Removed from the list')) await rows.reload()
  }
  const config = account.data.value?.Config
  return <Page title="Suppression" about="Recipients that you do not send to any more: messages to them are dropped, and webhooks say so."
    actions={<Button icon="plus" onPress={() => setAdding(true)}>Add address</Button>}>
    {config?.KeepRetiredMessagePeriod === null && <Notice>Failures put an address here only while messages are remembered. <a href={href(['senderids'])}>Set how long</a></Notice>}
    <Card flush><Loaded of={rows}>{rows => <Table caption="addresses" rows={rows} id={one => String(one.ID)} sortedBy="created" descending empty="None: all deliveries were taken."
      columns={[
        { id: 'address', title: 'Address', cell: one => <Address value={one.OriginalAddress} />, sort: one => one.OriginalAddress, search: one => `${one.OriginalAddress} ${one.BaseAddress}` },
        { id: 'base', title: 'Stands for', cell: one => <Address value={one.BaseAddress} />, blank: one => one.BaseAddress === one.OriginalAddress },
        { id: 'manual', title: 'By', cell: one => <Badge>{one.Manual ? 'you' : 'failures'}</Badge>, sort: one => Number(one.Manual), fit: true },
        { id: 'reason', title: 'Reason', cell: one => <span class="wrap">{one.Reason || '–'}</span>, search: one => one.Reason },
        { id: 'created', title: 'Added', cell: one => <Time at={one.Created} />, sort: one => Date.parse(one.Created), fit: true },
      ]} actions={one => <Button tone="quiet" small square icon="trash" onPress={() => remove(one)}>Remove from list</Button>} />}</Loaded></Card>
    {adding && <Add onClose={() => setAdding(false)} done={rows.reload} />}
  </Page>
}

function Add({ onClose, done }: { onClose: () => void, done: () => Promise<void> }) {
  const form = useForm({ Address: '', Reason: '' }, {
    success: 'Added',
    check: values => /^\S+@\S+$/.test(values.Address.trim()) ? {} : { Address: 'An e-mail address, please' },
    save: values => api.SuppressionAdd(values.Address.trim(), values.Reason.trim()),
    done: () => {
      onClose()
      void done()
    },
  })
  return <Dialog title="Add address" onClose={onClose}>
    <Form model={form} bar={false}>
      <TextField label="Address" type="email" bind={form.field('Address')} autofocus help="Its variants with + or dots count as the same." />
      <TextField label="Reason" bind={form.field('Reason')} placeholder="asked not to be written to" />
      <Actions><Button onPress={onClose}>Cancel</Button><Button type="submit" tone="primary" busy={form.busy.value}>Add</Button></Actions>
    </Form>
  </Dialog>
}
