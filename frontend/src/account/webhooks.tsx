// Webhooks: programs of one's own that hear of messages sent and received, with tests of delivery.

import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import * as api from '../api/account'
import { Actions, Badge, Button, Card, CodeBlock, Dialog, Facts, Form, Notice, Page, Select, Tabs, TextArea, TextField, attempt, confirm, useForm } from '../kit'
import { duration } from '../lib/format'
import { explain } from '../lib/problem'
import { go, href } from '../lib/router'
import { account } from './model'
import { WithAccount } from './parts'
import { curl, incomingSample, jsonFault, newSecret, outgoingSample } from './samples'

type Event = api.Outgoing['Event']

const EVENTS: readonly (readonly [Event, string])[] = [
  ['delivered', 'the next server has taken it'], ['delayed', 'an attempt failed, another follows'], ['failed', 'given up'], ['suppressed', 'not sent: the recipient is on the suppression list'],
  ['relayed', 'handed on to a system that tells no more'], ['expanded', 'handed on to the members of a list'], ['canceled', 'dropped from the queue by the operator'], ['unrecognized', 'something unreadable came back'],
]

const saved = () => { void account.reload() }

export function WebhooksPage({ tab }: { tab: string | undefined }) {
  return <Page title="Webhooks" about="A POST with JSON to an address of yours, for each message sent or received. What is not answered with 200 is tried again for days.">
    <WithAccount>{info => <Tabs label="Kinds" current={tab} onChange={id => go(['webhooks', id])} tabs={[
      { id: 'outgoing', title: 'Messages sent', extra: info.Config.OutgoingWebhook ? <Badge state="good">on</Badge> : undefined, view: () => <Outgoing hook={info.Config.OutgoingWebhook} /> },
      { id: 'incoming', title: 'Messages received', extra: info.Config.IncomingWebhook ? <Badge state="good">on</Badge> : undefined, view: () => <Incoming hook={info.Config.IncomingWebhook} address={info.LoginAddress} /> },
      { id: 'signing', title: 'Signing', view: () => <Signing secret={info.Config.WebhookSecret} /> },
    ]} />}</WithAccount>
  </Page>
}

/** What is wrong with an address for webhooks; empty means none is wanted. */
export function urlFault(url: string): string {
  if (url.trim() === '') return ''
  try {
    return ['http:', 'https:'].includes(new URL(url.trim()).protocol) ? '' : 'Begins with https:// or http://'
  } catch {
    return 'A whole address, beginning with https://'
  }
}

function checkURL({ URL }: { URL: string }) {
  const fault = urlFault(URL)
  return fault ? { URL: fault } : {}
}

function Outgoing({ hook }: { hook: api.OutgoingWebhook | null }) {
  const [testing, setTesting] = useState(false)
  const form = useForm({ URL: hook?.URL ?? '', Authorization: hook?.Authorization ?? '', Events: hook?.Events ?? [] }, {
    check: checkURL,
    save: values => api.OutgoingWebhookSave(values.URL.trim() ? { URL: values.URL.trim(), Authorization: values.Authorization, Events: values.Events } : null),
    done: saved,
  })
  const now = form.values.value, events = form.field('Events')
  const isOn = (name: Event) => events.value.length === 0 || events.value.includes(name)
  const set = (name: Event, on: boolean) => {
    const next = EVENTS.map(([one]) => one).filter(one => one === name ? on : isOn(one))
    // None means all.
    events.set(next.length === EVENTS.length || next.length === 0 ? [] : next)
  }
  return <Card title="What becomes of messages sent" actions={<Button icon="play" disabled={urlFault(now.URL) !== '' || now.URL.trim() === ''} onPress={() => setTesting(true)}>Test</Button>}>
    <Form model={form}>
      <TextField label="URL" type="url" bind={form.field('URL')} placeholder="https://app.example.org/hooks/sent" help="Empty: nobody is told." />
      <TextField label="Authorization" bind={form.field('Authorization')} placeholder="Bearer …" mono help="Value of the header of that name, so that you know it is us." />
      <fieldset><legend class="legend">Events</legend><div class="boxes">{EVENTS.map(([name, text]) => <div class="check" key={name}>
        <input type="checkbox" id={`event-${name}`} checked={isOn(name)} onChange={event => set(name, event.currentTarget.checked)} />
        <div><label for={`event-${name}`}>{name}</label><div class="help">{text}</div></div>
      </div>)}</div></fieldset>
    </Form>
    {testing && <OutgoingTest url={now.URL.trim()} authorization={now.Authorization} onClose={() => setTesting(false)} />}
  </Card>
}

function Incoming({ hook, address }: { hook: api.IncomingWebhook | null, address: string }) {
  const [testing, setTesting] = useState(false)
  const form = useForm({ URL: hook?.URL ?? '', Authorization: hook?.Authorization ?? '' }, {
    check: checkURL,
    save: values => api.IncomingWebhookSave(values.URL.trim() ? { URL: values.URL.trim(), Authorization: values.Authorization } : null),
    done: saved,
  })
  const now = form.values.value
  return <Card title="Messages received" about="All that are accepted and are not junk." actions={<Button icon="play" disabled={urlFault(now.URL) !== '' || now.URL.trim() === ''} onPress={() => setTesting(true)}>Test</Button>}>
    <Form model={form}>
      <TextField label="URL" type="url" bind={form.field('URL')} placeholder="https://app.example.org/hooks/received" help="Empty: nobody is told." />
      <TextField label="Authorization" bind={form.field('Authorization')} placeholder="Bearer …" mono help="Value of the header of that name, so that you know it is us." />
    </Form>
    {testing && <Test url={now.URL.trim()} authorization={now.Authorization} sample={JSON.stringify(incomingSample(address), null, 2)} onClose={() => setTesting(false)}
      run={payload => api.IncomingWebhookTest(now.URL.trim(), now.Authorization, payload as api.Incoming)} />}
  </Card>
}

function OutgoingTest({ url, authorization, onClose }: { url: string, authorization: string, onClose: () => void }) {
  const [event, setEvent] = useState<Event>('delivered')
  return <Test key={event} url={url} authorization={authorization} sample={JSON.stringify(outgoingSample(event), null, 2)} onClose={onClose}
    run={payload => api.OutgoingWebhookTest(url, authorization, payload as api.Outgoing)}>
    <Select<Event> label="Sample of" choices={EVENTS.map(([value]) => ({ value, label: value }))} bind={{ name: 'event', value: event, error: undefined, set: value => setEvent(value), fail: () => undefined }} />
  </Test>
}

interface TestProps {
  url: string
  authorization: string
  sample: string
  run: (payload: unknown) => Promise<api.WebhookTest>
  onClose: () => void
  children?: ComponentChildren
}

function Test({ url, authorization, sample, run, onClose, children }: TestProps) {
  const [text, setText] = useState(sample), [result, setResult] = useState<api.WebhookTest | null>(null), [problem, setProblem] = useState('')
  const fault = jsonFault(text)
  const post = async () => {
    setResult(null)
    setProblem('')
    try {
      setResult(await run(JSON.parse(text) as unknown))
    } catch (error) {
      setProblem(explain(error))
    }
  }
  return <Dialog title="Test the webhook" wide onClose={onClose}>
    <p class="wrap">Posts this once to <code>{url}</code>. What the page has counts, saved or not.</p>
    {children}
    <TextArea label="JSON" mono rows={12} bind={{ name: 'json', value: text, error: fault || undefined, set: setText, fail: () => undefined }} />
    {result && <div class="result" role="status">
      <Notice state={result.Success ? 'good' : 'bad'}>{result.Success ? 'Taken.' : result.Code ? 'Not taken: only an answer of 200 counts. A real webhook would be tried again.' : `No answer: ${result.Error}`}</Notice>
      <Facts rows={[['Status', result.Code ? String(result.Code) : 'none'], ['Took', duration(result.Duration)], result.Code > 0 && result.Error !== '' && ['Trouble', result.Error]]} />
      {result.Response !== '' && <CodeBlock text={result.Response} what="the answer" breaks />}
    </div>}
    {problem && <Notice state="bad">{problem}</Notice>}
    <details><summary class="strong">The same with curl</summary><CodeBlock text={curl(url, authorization, fault ? text : JSON.stringify(JSON.parse(text)))} what="the command" breaks /></details>
    <Actions><Button onPress={onClose}>Close</Button><Button tone="primary" icon="play" disabled={fault !== ''} onPress={post}>{result || problem ? 'Post again' : 'Post'}</Button></Actions>
  </Dialog>
}

function Signing({ secret }: { secret: string | null }) {
  const set = async (next: string | null, success: string) => {
    if (await attempt(() => api.WebhookSecretSave(next), success)) await account.reload()
  }
  const make = async () => {
    if (secret === null || await confirm({ title: 'Make a new key?', action: 'Make new key', consequences: ['Receivers need it before they can check signatures again. Webhooks that wait already are signed with the old one.'] })) await set(newSecret(), 'New key made')
  }
  const remove = async () => {
    if (await confirm({ title: 'Sign no more?', action: 'Remove key', consequences: ['Receivers that check signatures will refuse webhooks.'] })) await set(null, 'Webhooks are not signed any more')
  }
  return <Card title="Signing" about="Receivers can check that a webhook is from here, and new."
    actions={<>{secret !== null && <Button tone="danger" onPress={remove}>Remove key</Button>}<Button icon="key" onPress={make}>{secret === null ? 'Make a key' : 'Make a new key'}</Button></>}>
    <p>As <a href="https://www.standardwebhooks.com/" target="_blank" rel="noopener noreferrer">Standard Webhooks</a> has it: there are libraries for most languages.</p>
    {secret === null ? <p class="muted">Webhooks are not signed.</p> : <Secret secret={secret} />}
    <p class="muted small">What waits and what was posted is kept as long as <a href={href(['senderids'])}>you say</a>.</p>
  </Card>
}

function Secret({ secret }: { secret: string }) {
  const [shown, setShown] = useState(false)
  return shown ? <CodeBlock text={secret} what="the key" breaks /> : <div class="row"><Badge state="good">signed</Badge><Button small onPress={() => setShown(true)}>Show the key</Button></div>
}

