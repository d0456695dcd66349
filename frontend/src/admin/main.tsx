// The administration's pages.

import { start } from '../kit'

start('webadmin', 'moxpy administration', <p>Nothing here yet.</p>)
