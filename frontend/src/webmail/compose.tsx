// What is being written: one message at a time. The view of it, in compose/, is loaded when the first is begun.

import { signal } from '@preact/signals'
import type { Id } from '../api/jmap/types'
import { toast } from '../kit'

export interface ComposeStart {
  kind: 'new' | 'reply' | 'replyAll' | 'replyList' | 'forward' | 'draft' | 'mailto'
  /** What is answered, forwarded or gone on with. */
  emailId?: Id
  /** Text of the message that was selected: only this is quoted. */
  selection?: string
  /** `mailto:` address. */
  mailto?: string
}

/** What was begun; null when nothing is written. */
export const composing = signal<ComposeStart | null>(null)
/** Whether the window lies over the page, so that its keys are not the page's. */
export const composeShown = signal(false)

const view = signal<typeof import('./compose/window') | null>(null)

export function openCompose(start: ComposeStart): void {
  void import('./compose/window').then(loaded => {
    view.value = loaded
    return loaded.open(start)
  }, () => toast('The view for writing could not be loaded. Check the connection and try again.', 'bad'))
}

/** Once in the page. */
export function Compose() {
  const loaded = view.value
  return loaded && <loaded.ComposeWindow />
}
