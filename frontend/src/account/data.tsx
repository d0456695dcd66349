// Mail in and out: archives that are imported, with progress that survives leaving the page; exports to download.

import { useEffect, useRef, useState } from 'preact/hooks'
import * as api from '../api/account'
import { csrfToken } from '../api/wire'
import { Badge, Button, Card, Checkbox, Facts, Field, Fields, Notice, Page, Progress, Select, Table, attempt, confirm } from '../kit'
import { count, plural, size } from '../lib/format'
import { explain } from '../lib/problem'
import { abortImport, forgetImport, resumeImport, running, upload } from './importing'
import { mailboxes, need } from './model'

export function DataPage() {
  return <Page title="Import and export" about="Mail of another server comes in as an archive, and yours can be taken out at any time.">
    <Import />
    <Export />
  </Page>
}

function Import() {
  useEffect(() => { void attempt(resumeImport) }, [])
  const state = running.value
  return <Card title="Import" about="A zip, tar or tgz with Maildirs or mbox files. Flags, dates and mailboxes are kept; messages that are here already are left out.">
    {state === null ? <Begin /> : <Under />}
  </Card>
}

function Begin() {
  const [file, setFile] = useState<File | null>(null), [prefix, setPrefix] = useState(''), [problem, setProblem] = useState('')
  const begin = async (event: Event) => {
    event.preventDefault()
    if (!file) return
    setProblem('')
    try {
      await upload(file, prefix.trim())
    } catch (error) {
      setProblem(explain(error))
    }
  }
  return <form class="form" onSubmit={begin}>
    <Fields>
      <Field label="Archive" help="What other servers and mail programs export.">{attributes =>
        <input type="file" accept=".zip,.tar,.tgz,.tar.gz,.mbox,application/zip,application/gzip" {...attributes} onChange={event => setFile(event.currentTarget.files?.[0] ?? null)} />}</Field>
      <Field label="Leave out of names" help="What mailboxes in the archive are below, like Maildir or export/mail.">{attributes =>
        <input class="input" value={prefix} autocomplete="off" spellcheck={false} placeholder="nothing" {...attributes} onInput={event => setPrefix(event.currentTarget.value)} />}</Field>
    </Fields>
    {problem && <Notice state="bad">{problem}</Notice>}
    <div class="row"><Button type="submit" tone="primary" icon="download" disabled={file === null}>Import</Button>{file && <span class="muted">{file.name}, {size(file.size)}</span>}</div>
  </form>
}

function Under() {
  const state = running.value
  if (!state) return null
  const added = Object.values(state.counts).reduce((sum, one) => sum + one, 0), isOver = state.done !== null || state.failure !== null
  const abort = async () => {
    if (await confirm({ title: 'Abort the import?', action: 'Abort import', consequences: ['What it has added is taken back.'] })) await attempt(() => abortImport(), 'The import is being taken back')
  }
  return <div class="stack" aria-live="polite">
    {state.sent !== null
      ? <Progress label="Uploaded" value={state.sent} whole={state.whole}>{`Uploading ${state.name}: ${size(state.sent)} of ${size(state.whole)}`}</Progress>
      : !isOver && <Progress label="Import" value={0} whole={0}>{`${state.step || 'waiting'}: ${plural(added, 'message')}`}</Progress>}
    {state.done && <>
      <Notice state="good">The import is done.</Notice>
      <Facts rows={[['Added', plural(state.done.Added, 'message')], state.done.Duplicates > 0 && ['Here already', plural(state.done.Duplicates, 'message')], state.done.LeftOut > 0 && ['Left out', count(state.done.LeftOut)]]} />
    </>}
    {state.failure !== null && <Notice state="bad">{state.failure === 'aborted' ? 'The import was aborted. Nothing of it is left.' : `The import came to nothing: ${state.failure}`}</Notice>}
    {Object.keys(state.counts).length > 0 && <Table caption="mailboxes" rows={Object.entries(state.counts).map(([name, number]) => ({ name, number }))} id={one => one.name} sortedBy="name" columns={[
      { id: 'name', title: 'Mailbox', cell: one => one.name, sort: one => one.name },
      { id: 'number', title: 'Messages', cell: one => count(one.number), sort: one => one.number, end: true },
    ]} />}
    {state.problems.length > 0 && <details>
      <summary class="strong">{plural(state.problems.length, 'problem')} <Badge state="warn">left out</Badge></summary>
      <ul class="problems">{state.problems.map((one, at) => <li key={at}>{one}</li>)}</ul>
    </details>}
    <div class="row">
      {isOver ? <Button onPress={forgetImport}>Import another archive</Button>
        : <><Button tone="danger" icon="cross" onPress={abort}>Abort</Button>{state.sent === null && <span class="muted small">It goes on when you leave this page.</span>}</>}
    </div>
  </div>
}

type Format = 'maildir' | 'mbox'
type Archive = 'tgz' | 'zip' | 'tar' | 'none'

function Export() {
  need(mailboxes)
  const [mailbox, setMailbox] = useState(''), [format, setFormat] = useState<Format>('maildir'), [archive, setArchive] = useState<Archive>('zip'), [recursive, setRecursive] = useState(true)
  const form = useRef<HTMLFormElement>(null)
  const single = mailbox !== '' && format === 'mbox' && !recursive
  const chosen: Archive = archive === 'none' && !single ? 'zip' : archive
  const start = async () => {
    // A call that needs a session, so that a login comes first where one is needed.
    if (!await attempt(() => api.Version())) return
    const token = form.current?.elements.namedItem('csrf')
    if (token instanceof HTMLInputElement) token.value = csrfToken()
    form.current?.submit()
  }
  const bind = <V,>(name: string, value: V, set: (value: V) => void) => ({ name, value, error: undefined, set, fail: () => undefined })
  return <Card title="Export" about="A file with your mail, made while you download it. Any mail server or program can read it."><div class="form">
    <Fields>
      <Select label="Mailboxes" bind={bind('mailbox', mailbox, setMailbox)} choices={[{ value: '', label: 'All' }, ...(mailboxes.data.value ?? []).map(one => ({ value: one.Name, label: one.Name }))]} />
      <Select<Format> label="Format" bind={bind('format', format, value => setFormat(value))} choices={[{ value: 'maildir', label: 'Maildir: a file for each message' }, { value: 'mbox', label: 'mbox: a file for each mailbox' }]} />
      <Select<Archive> label="Archive" bind={bind('archive', chosen, value => setArchive(value))}
        choices={[{ value: 'zip', label: 'zip' }, { value: 'tgz', label: 'tgz' }, { value: 'tar', label: 'tar' }, ...single ? [{ value: 'none' as const, label: 'none: one file' }] : []]} />
    </Fields>
    {mailbox !== '' && <Checkbox label="With the mailboxes below it" bind={bind('recursive', recursive, setRecursive)} />}
    <form ref={form} method="post" action="export" class="row">
      <input type="hidden" name="csrf" value="" />
      <input type="hidden" name="mailbox" value={mailbox} />
      <input type="hidden" name="format" value={format} />
      <input type="hidden" name="archive" value={chosen} />
      <input type="hidden" name="recursive" value={mailbox !== '' && recursive ? 'on' : ''} />
      <Button icon="download" onPress={start}>Download</Button>
    </form>
  </div></Card>
}
