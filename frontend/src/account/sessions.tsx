// Browsers that are logged in, and everybody who tried to log in.

import * as api from '../api/account'
import { Button, Card, Loaded, Page, SessionsCard } from '../kit'
import { useResource } from '../lib/resource'
import { LoginAttemptsTable } from './parts'

export function SessionsPage() {
  return <Page title="Sessions" about="A session ends a day after its last use, and with a new password.">
    <SessionsCard load={api.Sessions} remove={api.SessionRemove} removeOthers={api.SessionsRemoveOthers} />
  </Page>
}

export function LoginsPage() {
  const rows = useResource(() => api.LoginAttempts(500))
  return <Page title="Login attempts" about="Those that differ only in their time are counted as one." actions={<Button icon="refresh" onPress={() => rows.reload()}>Refresh</Button>}>
    <Card flush><Loaded of={rows}>{rows => <LoginAttemptsTable rows={rows} />}</Loaded></Card>
  </Page>
}
