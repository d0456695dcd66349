// Tokens: for scripts that call the functions of these pages.

import { useState } from 'preact/hooks'
import * as api from '../api/account'
import { Actions, Badge, Button, Card, CodeBlock, Dialog, Fields, Form, Loaded, Page, Select, Table, TextField, Time, attempt, confirm, useForm } from '../kit'
import { useResource } from '../lib/resource'
import { LIFETIMES, Secret, lifetime, type Lifetime } from './parts'

export function TokensPage() {
  const rows = useResource(() => api.APITokenList()), [adding, setAdding] = useState(false), [made, setMade] = useState<{ label: string, token: string } | null>(null)
  const root = new URL('.', location.href).href
  const remove = async (one: api.APIToken) => {
    if (await confirm({ title: `Remove ${one.Label || 'this token'}?`, action: 'Remove token', consequences: ['Scripts with it are refused from now on.'] }) && await attempt(() => api.APITokenRemove(one.ID), 'Token removed')) await rows.reload()
  }
  return <Page title="API tokens" about="For scripts that do what these pages do. Passwords, two-step login and tokens are never theirs to change."
    actions={<Button tone="primary" icon="plus" onPress={() => setAdding(true)}>New token</Button>}>
    <Card flush><Loaded of={rows}>{rows => <Table caption="tokens" rows={rows} id={one => one.ID} sortedBy="label" empty="None yet."
      columns={[
        { id: 'label', title: 'For', cell: one => one.Label || '–', sort: one => one.Label },
        { id: 'scopes', title: 'May', cell: one => <span class="row">{one.Scopes.map(name => <Badge key={name} state={name === 'change' ? 'accent' : 'plain'}>{name}</Badge>)}</span> },
        { id: 'used', title: 'Last used', cell: one => <Time at={one.LastUsed} none="never" />, sort: one => one.LastUsed ? Date.parse(one.LastUsed) : 0, fit: true },
        { id: 'expires', title: 'Ends', cell: one => one.Expires && Date.parse(one.Expires) < Date.now() ? <Badge state="bad">expired</Badge> : <Time at={one.Expires} none="never" />, fit: true },
        { id: 'created', title: 'Made', cell: one => <Time at={one.Created} />, sort: one => Date.parse(one.Created), fit: true },
      ]} actions={one => <Button tone="quiet" small square icon="trash" onPress={() => remove(one)}>Remove token</Button>} />}</Loaded></Card>
    <Card title="How to call" about={<>All functions are described at <a href="api/">{`${root}api/`}</a>; for programs as <a href="api/openapi.json">OpenAPI</a>.</>}>
      <CodeBlock breaks what="the command" text={`curl -H 'Authorization: Bearer TOKEN' --json '{"params":[]}' ${root}api/Account`} />
    </Card>
    {adding && <Add onClose={() => setAdding(false)} onMade={async (label, token) => {
      setAdding(false)
      setMade({ label, token })
      await rows.reload()
    }} />}
    {made && <Secret title={`Token for ${made.label}`} text={made.token} what="the token" onClose={() => setMade(null)} />}
  </Page>
}

function Add({ onClose, onMade }: { onClose: () => void, onMade: (label: string, token: string) => Promise<void> }) {
  const form = useForm<{ Label: string, Scope: 'read' | 'change', Lifetime: Lifetime }>({ Label: '', Scope: 'read', Lifetime: '' }, {
    success: '',
    check: values => values.Label.trim() === '' ? { Label: 'What is it for?' } : {},
    save: async values => onMade(values.Label.trim(), (await api.APITokenAdd(values.Label.trim(), values.Scope === 'change' ? ['read', 'change'] : ['read'], lifetime(values.Lifetime))).Token),
  })
  return <Dialog title="New token" onClose={onClose}>
    <Form model={form} bar={false}>
      <TextField label="For" bind={form.field('Label')} placeholder="backup script" autofocus />
      <Fields>
        <Select label="May" bind={form.field('Scope')} choices={[{ value: 'read', label: 'read only' }, { value: 'change', label: 'read, and change settings' }]} />
        <Select label="Valid" bind={form.field('Lifetime')} choices={LIFETIMES} />
      </Fields>
      <Actions><Button onPress={onClose}>Cancel</Button><Button type="submit" tone="primary" busy={form.busy.value}>Make token</Button></Actions>
    </Form>
  </Dialog>
}
