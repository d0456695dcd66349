// Incoming mail that was refused, for whomever it was.

import * as api from '../api/admin'
import { RefusedMail } from '../kit'
import { accounts, need } from './model'
import { AccountLink } from './parts'

export function RefusedPage() {
  need(accounts)
  return <RefusedMail about="Mail of other servers that was not taken, in the last 14 days, and why." load={(query, limit, account) => api.RefusalList(account, query, limit)}
    accounts={(accounts.data.value ?? []).map(one => one.Name)} account={name => <AccountLink name={name} />} />
}
