// What the server shows or gives of a message below `msg/`: pages to print, its source, its parts, and archives of many.

import { signal } from '@preact/signals'
import type { Id } from '../api/jmap/types'
import { csrfToken } from '../api/wire'

export type Shape = 'text' | 'html' | 'htmlexternal'

export const bodyUrl = (id: Id, shape: Shape) => `msg/${encodeURIComponent(id)}/${shape}`
export const pageUrl = (id: Id, shape: Shape) => `msg/${encodeURIComponent(id)}/msg${shape}`
export const rawUrl = (id: Id) => `msg/${encodeURIComponent(id)}/raw`
export const rawDownloadUrl = (id: Id) => `msg/${encodeURIComponent(id)}/rawdl`
export const zipUrl = (id: Id) => `msg/${encodeURIComponent(id)}/attachments.zip`
export const viewUrl = (id: Id, part: string) => `msg/${encodeURIComponent(id)}/view/${encodeURIComponent(part)}`
export const viewTextUrl = (id: Id, part: string) => `msg/${encodeURIComponent(id)}/viewtext/${encodeURIComponent(part)}`
export const downloadUrl = (id: Id, part: string) => `msg/${encodeURIComponent(id)}/download/${encodeURIComponent(part)}`

export function openTab(url: string): void {
  window.open(url, '_blank', 'noopener,noreferrer')
}

export type ExportOf = { mailbox: string, hasChildren: boolean } | { emailIds: readonly Id[] }
export type Format = 'mbox' | 'maildir'
export type Archive = 'none' | 'tar' | 'tgz' | 'zip'

/** Downloads messages as an archive. A form is posted, since scripts would have to hold all of it. */
export function postExport(what: ExportOf, format: Format, archive: Archive, recursive: boolean): void {
  const form = document.createElement('form')
  form.method = 'post'
  form.action = 'export'
  const values: Record<string, string> = {
    csrf: csrfToken(), format, archive,
    ...('mailbox' in what ? { mailbox: what.mailbox, recursive: recursive ? 'on' : '' } : { messageids: what.emailIds.join(',') }),
  }
  for (const [name, value] of Object.entries(values)) {
    const input = document.createElement('input')
    input.type = 'hidden'
    input.name = name
    input.value = value
    form.append(input)
  }
  document.body.append(form)
  form.submit()
  form.remove()
}

// The dialog that asks how is shown by the frame.
export const exporting = signal<ExportOf | null>(null)

export function exportMail(what: ExportOf): void {
  exporting.value = what
}
