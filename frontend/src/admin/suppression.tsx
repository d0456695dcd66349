// Addresses that accounts do not send to any more, since deliveries to them failed, or a person said so.

import * as api from '../api/admin'
import { Address, Badge, Button, Card, Loaded, Page, Table, Time, attempt, confirm } from '../kit'
import { useResource } from '../lib/resource'
import { AccountLink } from './parts'

export function SuppressionPage() {
  const rows = useResource(() => api.Suppressions())
  const remove = async (one: api.SuppressionEntry) => {
    if (await confirm({ title: `Let ${one.Account} send to ${one.Address} again?`, action: 'Remove from list', harmless: true, consequences: ['If deliveries fail again it comes back.'] }) &&
      await attempt(() => api.SuppressionRemove(one.Account, one.Address), 'Removed from the list')) await rows.reload()
  }
  return <Page title="Suppression" about="Recipients that an account does not send to any more. Its owner can change this, too.">
    <Card flush><Loaded of={rows}>{rows => <Table caption="addresses" rows={rows} id={one => `${one.Account} ${one.BaseAddress}`} sortedBy="created" descending empty="None: all deliveries were taken."
      columns={[
        { id: 'address', title: 'Address', cell: one => <Address value={one.Address} />, sort: one => one.Address, search: one => one.Address },
        { id: 'account', title: 'Account', cell: one => <AccountLink name={one.Account} />, sort: one => one.Account, search: one => one.Account },
        { id: 'manual', title: 'By', cell: one => <Badge>{one.Manual ? 'a person' : 'failures'}</Badge>, sort: one => Number(one.Manual), fit: true },
        { id: 'reason', title: 'Reason', cell: one => <span class="wrap">{one.Reason || '–'}</span>, search: one => one.Reason },
        { id: 'created', title: 'Added', cell: one => <Time at={one.Created} />, sort: one => Date.parse(one.Created), fit: true },
      ]} actions={one => <Button tone="quiet" small square icon="trash" onPress={() => remove(one)}>Remove from list</Button>} />}</Loaded></Card>
  </Page>
}
