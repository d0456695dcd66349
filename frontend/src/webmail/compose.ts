// What is being written: one message at a time. The view of it is loaded when the first is begun.

import { signal } from '@preact/signals'
import type { Id } from '../api/jmap/types'

export interface ComposeStart {
  kind: 'new' | 'reply' | 'replyAll' | 'replyList' | 'forward' | 'draft' | 'mailto'
  /** What is answered, forwarded or gone on with. */
  emailId?: Id
  /** Text of the message that was selected: only this is quoted. */
  selection?: string
  /** `mailto:` address. */
  mailto?: string
}

export const composing = signal<ComposeStart | null>(null)

export function openCompose(start: ComposeStart): void {
  composing.value = start
}
