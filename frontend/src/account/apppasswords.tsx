// App passwords: one for each program or device, so that one can be taken back alone.

import { useState } from 'preact/hooks'
import * as api from '../api/account'
import { Actions, Badge, Button, Card, Checkbox, Dialog, Fields, Form, Loaded, Notice, Page, Select, Table, TextField, Time, attempt, confirm, useForm } from '../kit'
import { useResource } from '../lib/resource'
import { href } from '../lib/router'
import { account, factor, need } from './model'
import { LIFETIMES, Secret, lifetime, type Lifetime } from './parts'

/** What protocols of app passwords are for. */
const ABOUT: Record<string, readonly [string, string]> = {
  imap: ['IMAP', 'Reading mail in a mail program'],
  jmap: ['JMAP', 'Reading and sending in a mail program that speaks JMAP'],
  submission: ['Sending', 'Sending mail from a mail program'],
  webmail: ['Webmail', 'Reading and sending in a browser'],
  webapi: ['Web API', 'All of the interface for applications'],
  send: ['Web API: send', 'Sending by the web API, nothing else'],
  suppression: ['Web API: suppression', 'The suppression list by the web API, nothing else'],
}

export function AppPasswordsPage() {
  need(factor, account)
  const rows = useResource(() => api.AppPasswordList()), [adding, setAdding] = useState(false), [made, setMade] = useState<{ label: string, password: string } | null>(null)
  const remove = async (one: api.AppPassword) => {
    if (await confirm({ title: `Remove ${one.Label || 'this app password'}?`, action: 'Remove app password', consequences: ['What uses it is logged out at once, and cannot log in any more.'] }) &&
      await attempt(() => api.AppPasswordRemove(one.ID), 'App password removed')) await rows.reload()
  }
  const now = Date.now()
  return <Page title="App passwords" about="A password of its own for each program or device. One that is lost with its device can be taken back alone."
    actions={<Button tone="primary" icon="plus" onPress={() => setAdding(true)}>New app password</Button>}>
    {factor.data.value && !factor.data.value.AppPasswordsOnly && <Notice>Mail programs may use the account’s password, too. <a href={href(['secondfactor'])}>Require app passwords</a></Notice>}
    <Card flush><Loaded of={rows}>{rows => <Table caption="app passwords" rows={rows} id={one => String(one.ID)} sortedBy="label" empty="None yet."
      columns={[
        { id: 'label', title: 'For', cell: one => one.Label || '–', sort: one => one.Label, search: one => one.Label },
        { id: 'protocols', title: 'May be used for', cell: one => <span class="row">{one.Protocols.map(name => <Badge key={name}>{ABOUT[name]?.[0] ?? name}</Badge>)}</span> },
        { id: 'used', title: 'Last used', cell: one => <Time at={one.LastUsed} none="never" />, sort: one => one.LastUsed ? Date.parse(one.LastUsed) : 0, fit: true },
        { id: 'expires', title: 'Ends', cell: one => one.Expires && Date.parse(one.Expires) < now ? <Badge state="bad">expired</Badge> : <Time at={one.Expires} none="never" />, sort: one => one.Expires ? Date.parse(one.Expires) : Infinity, fit: true },
        { id: 'created', title: 'Made', cell: one => <Time at={one.Created} />, sort: one => Date.parse(one.Created), fit: true },
      ]} actions={one => <Button tone="quiet" small square icon="trash" onPress={() => remove(one)}>Remove app password</Button>} />}</Loaded></Card>
    {adding && <Add onClose={() => setAdding(false)} onMade={async (label, password) => {
      setAdding(false)
      setMade({ label, password })
      await rows.reload()
    }} />}
    {made && <Secret title={`Password for ${made.label}`} text={made.password} what="the password" onClose={() => setMade(null)}>
      <p class="muted">The user name is {account.data.value ? <code>{account.data.value.LoginAddress}</code> : 'your address'}. <a href={href(['clients'])}>Servers and ports</a></p>
    </Secret>}
  </Page>
}

function Add({ onClose, onMade }: { onClose: () => void, onMade: (label: string, password: string) => Promise<void> }) {
  const protocols = useResource(() => api.AppPasswordProtocols())
  const form = useForm<{ Label: string, Protocols: string[], Lifetime: Lifetime }>({ Label: '', Protocols: ['imap', 'submission'], Lifetime: '' }, {
    success: '',
    check: values => ({
      ...(values.Label.trim() === '' ? { Label: 'What is it for?' } : {}),
      ...(values.Protocols.length === 0 ? { Protocols: 'At least one' } : {}),
    }),
    save: async values => onMade(values.Label.trim(), (await api.AppPasswordAdd(values.Label.trim(), values.Protocols, lifetime(values.Lifetime))).Password),
  })
  const chosen = form.field('Protocols')
  return <Dialog title="New app password" onClose={onClose}>
    <Form model={form} bar={false}>
      <Fields>
        <TextField label="For" bind={form.field('Label')} placeholder="Thunderbird on the laptop" autofocus />
        <Select label="Valid" bind={form.field('Lifetime')} choices={LIFETIMES} />
      </Fields>
      <fieldset><legend class="legend">May be used for</legend>
        <Loaded of={protocols}>{all => <div class="stack tight">{all.map(name => <Checkbox key={name} label={ABOUT[name]?.[1] ?? name}
          bind={{ name, value: chosen.value.includes(name), error: undefined, fail: () => undefined, set: on => chosen.set(on ? [...chosen.value, name] : chosen.value.filter(one => one !== name)) }} />)}</div>}</Loaded>
        {chosen.error && <p class="bad small" role="alert">{chosen.error}</p>}
      </fieldset>
      <Actions><Button onPress={onClose}>Cancel</Button><Button type="submit" tone="primary" busy={form.busy.value}>Make password</Button></Actions>
    </Form>
  </Dialog>
}
