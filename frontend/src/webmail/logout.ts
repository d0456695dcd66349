// Logging out: nothing of the mail stays in this browser.

import * as api from '../api/webmail'
import { endSession } from '../api/wire'
import { forgetKept } from './compose/kept'
import { clear } from './offline'
import { forgetPush } from './push'

/** What this browser kept goes first, since nobody else is to find it, and no server is asked before. */
export async function logOut(): Promise<void> {
  forgetKept()
  await clear()
  await forgetPush().catch(() => undefined)
  await endSession(api.Logout)
}
