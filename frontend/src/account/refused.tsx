// Mail for the account that was refused.

import * as api from '../api/account'
import { RefusedMail } from '../kit'

export function RefusedPage() {
  return <RefusedMail about="Mail to your addresses that was not taken, in the last 14 days, and why." load={(query, limit) => api.RefusalList(query, limit)} />
}
