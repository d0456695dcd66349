// Questions about messages: why one is here, what is in it, how to export it, and leaving a list.

import { signal } from '@preact/signals'
import { useState } from 'preact/hooks'
import { call } from '../api/jmap/client'
import type { EmailBodyPart, EmailFull, EmailHeader, Id, JunkExplanation } from '../api/jmap/types'
import { Actions, Button, confirm, Dialog, Notice, Spinner, toast } from '../kit'
import { percent, size } from '../lib/format'
import { explain } from '../lib/problem'
import { useResource } from '../lib/resource'
import { openCompose } from './compose'
import { exporting, openTab, postExport, type Archive, type ExportOf, type Format } from './documents'
import { email } from './model'

const shown = signal<{ kind: 'junk' | 'internals', id: Id } | null>(null)

export function explainJunk(id: Id): void {
  shown.value = { kind: 'junk', id }
}

export function internals(id: Id): void {
  shown.value = { kind: 'internals', id }
}

/** Where they appear; rendered once. */
export function Dialogs() {
  const now = shown.value
  return <>
    {now?.kind === 'junk' && <Why key={now.id} id={now.id} />}
    {now?.kind === 'internals' && <Internals key={now.id} id={now.id} />}
    {exporting.value && <Exporting key={exporting.value} what={exporting.value} />}
  </>
}

const close = () => { shown.value = null }

function Why({ id }: { id: Id }) {
  const asked = useResource<JunkExplanation>(() => call('Junk/explain', { emailId: id }), [id]), one = asked.data.value
  return <Dialog title="Why is this here?" onClose={close}>
    {asked.error.value !== undefined && <Notice state="bad">{explain(asked.error.value)}</Notice>}
    {!one && asked.error.value === undefined && <Spinner />}
    {one && <>
      <ul class="plain">{one.texts.filter(isSentence).map(text => <li key={text}>{text}</li>)}</ul>
      {one.probability !== null && <div>
        <p class="row between"><span>Looks like junk</span><strong class="number">{percent(Math.round(one.probability * 1000), 1000)}</strong></p>
        <Meter part={one.probability} mark={one.threshold} />
        <p class="muted small">From {percent(Math.round(one.threshold * 1000), 1000)} on a message counts as junk. Learned from {one.hams} wanted and {one.spams} unwanted messages.</p>
      </div>}
      {one.words.length > 0 && <table class="words">
        <caption>Words that say the most</caption>
        <thead><tr><th scope="col">Word</th><th scope="col">In junk</th></tr></thead>
        <tbody>{one.words.slice(0, 20).map(({ word, spam }) => <tr key={word}><td class="mono wrap">{word}</td><td><Meter part={spam} /><span class="number">{percent(Math.round(spam * 1000), 1000)}</span></td></tr>)}</tbody>
      </table>}
    </>}
    {one && !one.texts.every(isSentence) && <details class="small muted">
      <summary>How the server came to this</summary>
      <ul class="plain">{one.texts.filter(text => !isSentence(text)).map(text => <li key={text} class="wrap">{text}</li>)}</ul>
    </details>}
    <Actions><Button onPress={close} tone="primary">Close</Button></Actions>
  </Dialog>
}

/** Not one of the steps that the server wrote down for itself. */
function isSentence(text: string): boolean {
  return text.endsWith('.')
}

function Meter({ part, mark }: { part: number, mark?: number }) {
  return <span class={`meter${part >= (mark ?? 0.5) ? ' high' : ''}`} aria-hidden="true">
    <span ref={element => { if (element) element.style.width = `${Math.max(1, part * 100)}%` }} />
    {mark !== undefined && <i ref={element => { if (element) element.style.left = `${mark * 100}%` }} />}
  </span>
}

function Internals({ id }: { id: Id }) {
  const asked = useResource(() => call('Email/get', {
    ids: [id], properties: ['id', 'blobId', 'threadId', 'mailboxIds', 'keywords', 'size', 'receivedAt', 'messageId', 'inReplyTo', 'references', 'bodyStructure', 'muted', 'collapsed', 'threadParentIds',
      'threadMissingLink', 'origin'],
    bodyProperties: ['partId', 'blobId', 'size', 'name', 'type', 'charset', 'disposition', 'cid', 'language', 'location', 'headers'],
  }), [id])
  const one = asked.data.value?.list[0]
  return <Dialog title="Internals" wide onClose={close}>
    {asked.error.value !== undefined && <Notice state="bad">{explain(asked.error.value)}</Notice>}
    {!one && asked.error.value === undefined && <Spinner />}
    {one && <>
      <h3>Parts</h3>
      {one.bodyStructure && <ul class="parts"><Part part={one.bodyStructure} /></ul>}
      <h3>As it is stored</h3>
      <pre class="source" tabIndex={0}>{JSON.stringify({ ...one, bodyStructure: undefined }, null, 2)}</pre>
    </>}
  </Dialog>
}

function Part({ part }: { part: EmailBodyPart }) {
  const [open, setOpen] = useState(false)
  return <li>
    <button type="button" class="linklike" aria-expanded={open} onClick={() => setOpen(!open)}>{part.type}</button>{' '}
    <span class="muted small">{[part.partId, part.name, part.charset, part.disposition, size(part.size)].filter(Boolean).join(' · ')}</span>
    {open && part.headers && <pre class="source" tabIndex={0}>{part.headers.map(({ name, value }: EmailHeader) => `${name}:${value}`).join('\n')}</pre>}
    {part.subParts && part.subParts.length > 0 && <ul class="parts">{part.subParts.map((one, index) => <Part key={index} part={one} />)}</ul>}
  </li>
}

function Exporting({ what }: { what: ExportOf }) {
  const [format, setFormat] = useState<Format>('mbox'), [archive, setArchive] = useState<Archive>('zip'), [recursive, setRecursive] = useState(false)
  const isMailbox = 'mailbox' in what
  const leave = () => { exporting.value = null }
  return <Dialog title={isMailbox ? `Export ${what.mailbox}` : what.emailIds.length === 1 ? 'Export the message' : `Export ${what.emailIds.length} messages`} onClose={leave}>
    <form class="stack" onSubmit={event => {
      event.preventDefault()
      postExport(what, format, archive, recursive)
      leave()
      toast('The download begins')
    }}>
      <div class="field"><label for="export-format">Format</label><select id="export-format" class="input" value={format} onChange={event => {
        const next = event.currentTarget.value as Format
        setFormat(next)
        if (next === 'maildir' && archive === 'none') setArchive('zip')
      }}><option value="mbox">mbox: one file for each mailbox</option><option value="maildir">maildir: one file for each message</option></select></div>
      <div class="field"><label for="export-archive">Packed as</label><select id="export-archive" class="input" value={archive} onChange={event => setArchive(event.currentTarget.value as Archive)}>
        <option value="zip">zip</option><option value="tgz">tgz</option><option value="tar">tar</option>{format === 'mbox' && <option value="none">not packed</option>}
      </select></div>
      {isMailbox && what.hasChildren && <div class="check"><input type="checkbox" id="export-recursive" checked={recursive} onChange={event => setRecursive(event.currentTarget.checked)} /><label for="export-recursive">With the mailboxes below it</label></div>}
      <Actions><Button onPress={leave}>Cancel</Button><Button type="submit" tone="primary" icon="download">Export</Button></Actions>
    </form>
  </Dialog>
}

/** Leaves a list: by one press where its sender allows that (RFC 8058), else by its page or by a message. */
export async function unsubscribe(one: EmailFull): Promise<void> {
  const links = one['header:List-Unsubscribe:asURLs'] ?? [], page = links.find(link => link.startsWith('https:')), mailto = links.find(link => link.startsWith('mailto:'))
  const name = one['header:List-Id:asText'] ?? email(one.id).peek()?.from?.[0]?.email ?? 'this list'
  if (page && /List-Unsubscribe=One-Click/i.test(one['header:List-Unsubscribe-Post:asText'] ?? '')) {
    const yes = await confirm({
      title: 'Unsubscribe?', text: name, consequences: [`This server tells ${new URL(page).hostname} that you want no more of these messages.`, 'Nothing else is sent, and no page opens.'],
      action: 'Unsubscribe', harmless: true,
    })
    if (!yes) return
    const problem = await tell(one.id)
    if (problem === null) toast('Unsubscribed: the sender was told')
    else if (await confirm({ title: 'The sender could not be told', text: problem, consequences: [`A page of ${new URL(page).hostname} opens, where you can unsubscribe.`], action: 'Open the page', harmless: true })) openTab(page)
  } else if (page) {
    const yes = await confirm({ title: 'Unsubscribe?', text: name, consequences: [`A page of ${new URL(page).hostname} opens, where you can unsubscribe.`], action: 'Open the page', harmless: true })
    if (yes) openTab(page)
  } else if (mailto) openCompose({ kind: 'mailto', mailto })
  else toast('The message does not say how to unsubscribe.', 'warn')
}

/** By one press; null when it is done, else what went wrong. */
async function tell(id: Id): Promise<string | null> {
  try {
    const { status, error } = await call('Unsubscribe/post', { emailId: id })
    return status >= 200 && status < 300 ? null : error ?? `It answered with status ${status}.`
  } catch (error) {
    return explain(error)
  }
}
