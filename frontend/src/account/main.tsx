// An account's own pages.

import { start } from '../kit'

start('webaccount', 'moxpy account', <p>Nothing here yet.</p>)
