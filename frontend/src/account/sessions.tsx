// Browsers that are logged in, and everybody who tried to log in.

import * as api from '../api/account'
import { Badge, Button, Card, Loaded, Page, Table, Time, attempt, confirm } from '../kit'
import { useResource } from '../lib/resource'
import { LoginAttemptsTable, programName } from './parts'

const APPLICATIONS: Record<string, string> = { account: 'Account pages', webmail: 'Webmail', admin: 'Administration' }

export function SessionsPage() {
  const rows = useResource(() => api.Sessions())
  const end = async (one: api.Session) => {
    if (await attempt(() => api.SessionRemove(one.ID), 'Logged out')) await rows.reload()
  }
  const endOthers = async () => {
    if (await confirm({ title: 'Log out all other browsers?', action: 'Log out others', consequences: ['They have to log in again. If you do not know one of them, set a new password first.'] }) && await attempt(() => api.SessionsRemoveOthers(), 'All others are logged out')) await rows.reload()
  }
  const others = rows.data.value?.some(one => !one.IsCurrent) ?? false
  return <Page title="Sessions" about="Browsers that are logged in. A session ends a day after its last use, and with a new password."
    actions={<Button icon="exit" disabled={!others} onPress={endOthers}>Log out all others</Button>}>
    <Card flush><Loaded of={rows}>{rows => <Table caption="sessions" rows={rows} id={one => one.ID} columns={[
      { id: 'program', title: 'Browser', cell: one => <><span title={one.UserAgent}>{programName(one.UserAgent) || 'Unknown'}</span> {one.IsCurrent && <Badge state="good">this one</Badge>}</> },
      { id: 'application', title: 'At', cell: one => APPLICATIONS[one.Application] ?? one.Application },
      { id: 'ip', title: 'From', cell: one => <span class="mono wrap">{one.RemoteIP}</span> },
      { id: 'address', title: 'As', cell: one => <span class="wrap">{one.LoginAddress}</span> },
      { id: 'used', title: 'Last used', cell: one => <Time at={one.LastUsed} />, fit: true },
      { id: 'created', title: 'Logged in', cell: one => <Time at={one.Created} />, fit: true },
    ]} actions={one => !one.IsCurrent && <Button small tone="danger" onPress={() => end(one)}>Log out</Button>} />}</Loaded></Card>
  </Page>
}

export function LoginsPage() {
  const rows = useResource(() => api.LoginAttempts(500))
  return <Page title="Login attempts" about="Those that differ only in their time are counted as one." actions={<Button icon="refresh" onPress={() => rows.reload()}>Refresh</Button>}>
    <Card flush><Loaded of={rows}>{rows => <LoginAttemptsTable rows={rows} />}</Loaded></Card>
  </Page>
}
