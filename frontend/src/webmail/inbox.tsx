// The inbox of a server for tests, where the page has a port for itself: it logs in unasked, shows for whom something was
// caught, clears all, says what mail programs will make of a message, and hands one to a real server.

import { effect, signal, untracked } from '@preact/signals'
import { useEffect, useState } from 'preact/hooks'
import * as api from '../api/webmail'
import { loggedIn, loginNeeded } from '../api/wire'
import type { Id } from '../api/jmap/types'
import { Actions, attempt, Badge, Button, confirm, Dialog, Field, Notice, Spinner, toast, type MenuItem } from '../kit'
import { explain } from '../lib/problem'
import { useResource } from '../lib/resource'
import { mailboxes, sync } from './model'
import { place, toMailbox, toSearch } from './place'
import './inbox.css'

/** Who is at home on a server for tests; null everywhere else. */
export const guest = signal<api.GuestInfo | null>(null)
/** Whether it is still to be found out, so that no login is shown meanwhile. */
export const isAsking = signal(location.pathname === '/')

/** Asks whether this is a server for tests, and logs in if so. */
export function startGuest(logIn: (address: string, password: string) => Promise<string>): void {
  if (!isAsking.peek()) return
  const asked = api.Guest().then(found => { guest.value = found }, () => undefined)
  void asked.then(() => { if (!guest.peek() || !loginNeeded.peek()) isAsking.value = false })
  let tries = 0
  effect(() => {
    if (!loginNeeded.value || tries++ > 2) return
    untracked(() => void asked.then(async () => {
      const one = guest.peek()
      if (one) loggedIn(await logIn(one.Address, one.Password))
    }).catch(() => undefined).finally(() => { isAsking.value = false }))
  })
}

async function ask<T>(method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<T> {
  const answer = await fetch(`inbox/${path}`, { method, ...body === undefined ? {} : { body: JSON.stringify(body) } })
  const value = await answer.json() as T & { error?: string }
  if (!answer.ok) throw new Error(value.error ?? `the server answered ${answer.status}`)
  return value
}

interface Addressee {
  readonly address: string
  readonly messages: number
  readonly unread: number
}

/** How many addresses are listed before one asks for more. */
const SOME = 12

/** Below the mailboxes: for whom something was caught. */
export function InboxPanel() {
  const [all, setAll] = useState(false)
  // Counts of mailboxes change with whatever comes and goes.
  const state = mailboxes.value.map(box => `${box.totalEmails}/${box.unreadEmails}`).join()
  const found = useResource<Addressee[]>(() => ask<Addressee[]>('GET', 'addresses'), [state]), list = found.data.value ?? []
  if (!guest.value) return null
  const shown = all ? list : list.slice(0, SOME)
  return <section class="caught" aria-labelledby="caught">
    <header class="row between">
      <h2 id="caught">Caught for</h2>
      <Button tone="quiet" small icon="trash" disabled={list.length === 0} onPress={() => clearAll(found.reload)}>Clear all</Button>
    </header>
    {list.length === 0 && <p class="muted small">Nothing yet. Mail to any address ends here.</p>}
    <ul>{shown.map(one => {
      const search = searchFor(one.address)
      return <li key={one.address}>
        <a href={`#${encodeURIComponent(`search ${search}`)}`} aria-current={place.value.search === search ? 'true' : undefined} title={one.address} onClick={event => {
          event.preventDefault()
          toSearch(search)
        }}><span class="name">{one.address}</span><span class={`count${one.unread > 0 ? ' unread' : ''}`}>{one.unread > 0 ? one.unread : one.messages}</span></a>
      </li>
    })}</ul>
    {list.length > shown.length && <Button tone="quiet" small onPress={() => setAll(true)}>{`${list.length - shown.length} more`}</Button>}
  </section>
}

/** Whom the envelope named, whatever the header says. */
const searchFor = (address: string) => `header:Delivered-To:${address}`

async function clearAll(reload: () => Promise<void>): Promise<void> {
  if (!await confirm({ title: 'Clear everything?', consequences: ['All messages of all mailboxes are removed for good.'], action: 'Clear all' })) return
  await attempt(async () => {
    const { removed } = await ask<{ removed: number }>('DELETE', 'messages')
    toMailbox('')
    await Promise.all([reload(), sync()])
    toast(removed === 1 ? 'One message removed' : `${removed} messages removed`)
  })
}

// What can be done with a message.

const open = signal<{ kind: 'check' | 'release', id: Id } | null>(null)
const close = () => { open.value = null }

/** For the menu of a message. */
export function inboxItems(id: Id): (MenuItem | null)[] {
  if (!guest.value) return []
  return [
    null,
    { text: 'Check the HTML', icon: 'check', run: () => { open.value = { kind: 'check', id } } },
    { text: 'Release to a real mailbox', icon: 'send', run: () => { open.value = { kind: 'release', id } } },
  ]
}

/** Where they appear; rendered once. */
export function InboxDialogs() {
  const now = open.value
  return <>
    {now?.kind === 'check' && <Check key={now.id} id={now.id} />}
    {now?.kind === 'release' && <Release key={now.id} id={now.id} />}
  </>
}

interface Hint {
  readonly id: string
  readonly severity: 'error' | 'warning' | 'note'
  readonly count: number
  readonly text: string
  readonly advice: string
  readonly clients: readonly string[]
}

const LOOKS = { error: ['bad', 'Mend it'], warning: ['warn', 'Look at it'], note: ['plain', 'Note'] } as const

function Check({ id }: { id: Id }) {
  const asked = useResource(() => ask<{ hints: Hint[] }>('GET', `messages/${id}/check`), [id]), hints = asked.data.value?.hints
  return <Dialog title="What mail programs make of it" wide onClose={close}>
    {asked.error.value !== undefined && <Notice state="bad">{explain(asked.error.value)}</Notice>}
    {!hints && asked.error.value === undefined && <Spinner />}
    {hints?.length === 0 && <Notice state="good">Nothing to say: there is no HTML, or it is as it should be.</Notice>}
    {hints && hints.length > 0 && <ul class="hints">{hints.map(hint => <li key={hint.id}>
      <Badge state={LOOKS[hint.severity][0]}>{LOOKS[hint.severity][1]}</Badge>
      <div>
        <strong>{hint.text}{hint.count > 1 ? ` (${hint.count} times)` : ''}</strong>
        <p>{hint.advice}.</p>
        {hint.clients.length > 0 && <p class="muted small">Not shown by {hint.clients.join(', ')}</p>}
      </div>
    </li>)}</ul>}
    <Actions><Button onPress={close} tone="primary">Close</Button></Actions>
  </Dialog>
}

interface Releasing {
  readonly allow: readonly string[]
  readonly host: string
  readonly problem: string
}

function Release({ id }: { id: Id }) {
  const asked = useResource(() => ask<Releasing>('GET', 'release'), [id]), file = asked.data.value
  const [to, setTo] = useState(''), [busy, setBusy] = useState(false), [problem, setProblem] = useState('')
  useEffect(() => {
    const only = file?.allow.filter(one => !one.startsWith('@')) ?? []
    if (only[0] !== undefined && only.length === 1) setTo(only[0])
  }, [file])
  const send = async () => {
    setBusy(true)
    setProblem('')
    try {
      await ask('POST', `messages/${id}/release`, { to: to.split(/[\s,;]+/).filter(one => one !== '') })
      toast(`Handed to ${file?.host ?? 'the server'}`)
      close()
    } catch (error) {
      setProblem(explain(error))
    } finally {
      setBusy(false)
    }
  }
  return <Dialog title="Release to a real mailbox" onClose={close}>
    {!file && <Spinner />}
    {file && file.problem !== '' && <Notice state="warn"><span class="wrap prewrap">{file.problem}</span></Notice>}
    {file && file.problem === '' && <>
      <p>The message is handed to <strong>{file.host}</strong> as it was received. It may go to {file.allow.join(', ')}.</p>
      <Field label="To">{field => <input {...field} class="input" value={to} onInput={event => setTo(event.currentTarget.value)} />}</Field>
      {problem !== '' && <Notice state="bad">{problem}</Notice>}
    </>}
    <Actions>
      <Button onPress={close}>Cancel</Button>
      {file?.problem === '' && <Button tone="primary" busy={busy} disabled={to.trim() === ''} onPress={send}>Release</Button>}
    </Actions>
  </Dialog>
}
