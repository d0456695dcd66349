// PasskeysCard: the passkeys of an account, or of the administrator. Whoever has a second factor shows it to change them.

import { useState } from 'preact/hooks'
import { hasPasskeys, makePasskey, showPasskey, type Answer, type Made, type Offer, type Question } from '../lib/passkeys'
import type { Resource } from '../lib/resource'
import { Notice } from './badge'
import { Button } from './button'
import { Actions, Dialog } from './dialog'
import { Form, TextField, useForm } from './form'
import { Loaded } from './loaded'
import { Card } from './page'
import { Empty, Table } from './table'
import { Time } from './time'

export interface PasskeyInfo { ID: string, Name: string, Host: string, Created: string, LastUsed: string | null }

/** The functions of both APIs. A code, a recovery code or an answer to `ask` shows the second factor. */
export interface PasskeyFunctions {
  ask: () => Promise<Question>
  begin: (code: string, answer?: Answer) => Promise<Offer>
  /** Returns recovery codes, or none. */
  add: (name: string, made: Made) => Promise<string[]>
  rename: (id: string, name: string) => Promise<void>
  remove: (id: string, code: string, answer?: Answer) => Promise<void>
}

interface Props {
  state: Resource<{ TOTP: boolean, Passkeys: readonly PasskeyInfo[] }>
  functions: PasskeyFunctions
  /** A name for one that is added. */
  suggested: string
  /** Recovery codes that were made. */
  done: (codes: string[]) => void
}

/** A passkey in place of a code that was not given, where there are some. */
export async function proof(functions: PasskeyFunctions | undefined, passkeys: readonly PasskeyInfo[], code: string): Promise<Answer | undefined> {
  return code === '' && functions && passkeys.length > 0 ? showPasskey(await functions.ask()) : undefined
}

export function PasskeysCard({ state, functions, suggested, done }: Props) {
  const [adding, setAdding] = useState(false), [renaming, setRenaming] = useState<PasskeyInfo | null>(null), [removing, setRemoving] = useState<PasskeyInfo | null>(null)
  const close = () => {
    setAdding(false)
    setRenaming(null)
    setRemoving(null)
    void state.reload()
  }
  return <Card title="Passkeys" about="Of this device, a password manager or a security key. They log in without a password, and no other site can ask for them." flush
    actions={hasPasskeys() && <Button icon="plus" onPress={() => setAdding(true)}>Add passkey</Button>}>
    <Loaded of={state}>{({ TOTP, Passkeys }) => <>
      {!hasPasskeys() && <Notice state="plain">This browser has none for this page: it needs TLS, and a name in place of an address.</Notice>}
      {Passkeys.length === 0 ? <Empty icon="key">None.</Empty> : <Table caption="passkeys" rows={Passkeys} id={one => one.ID} columns={[
        { id: 'name', title: 'Name', cell: one => one.Name, sort: one => one.Name },
        { id: 'host', title: 'Works at', cell: one => <span class="mono">{one.Host}</span>, sort: one => one.Host },
        { id: 'used', title: 'Last used', cell: one => <Time at={one.LastUsed} none="never" />, sort: one => Date.parse(one.LastUsed ?? '') || 0 },
        { id: 'created', title: 'Added', cell: one => <Time at={one.Created} />, sort: one => Date.parse(one.Created) },
      ]} actions={one => <>
        <Button tone="quiet" small square icon="edit" onPress={() => setRenaming(one)}>Rename</Button>
        <Button tone="quiet" small square icon="trash" onPress={() => setRemoving(one)}>Remove</Button>
      </>} />}
      {adding && <Add wanted={TOTP || Passkeys.length > 0} passkeys={Passkeys} functions={functions} suggested={suggested} onClose={close} done={done} />}
      {renaming && <Rename one={renaming} functions={functions} onClose={close} />}
      {removing && <Remove one={removing} passkeys={Passkeys} functions={functions} onClose={close} />}
    </>}</Loaded>
  </Card>
}

function CodeField({ bind, passkeys }: { bind: Parameters<typeof TextField>[0]['bind'], passkeys: readonly PasskeyInfo[] }) {
  return <TextField label="Code" bind={bind} autocomplete="one-time-code"
    help={passkeys.length > 0 ? 'Of the authenticator, or a recovery code. Left empty: one of your passkeys is asked for.' : 'Of the authenticator, or a recovery code.'} />
}

function Add({ wanted, passkeys, functions, suggested, onClose, done }: { wanted: boolean, passkeys: readonly PasskeyInfo[], functions: PasskeyFunctions, suggested: string, onClose: () => void, done: (codes: string[]) => void }) {
  const form = useForm({ Name: suggested, Code: '' }, {
    success: 'Passkey added',
    check: values => values.Name.trim() === '' ? { Name: 'What is it called?' } : {},
    save: async values => {
      const code = values.Code.trim()
      const offer = await functions.begin(code, await proof(functions, passkeys, code))
      done(await functions.add(values.Name.trim(), await makePasskey(offer)))
    },
    done: onClose,
  })
  return <Dialog title="Add a passkey" onClose={onClose}>
    <Form model={form} bar={false}>
      <TextField label="Name" bind={form.field('Name')} autofocus help="To know it by in this list." />
      {wanted && <CodeField bind={form.field('Code')} passkeys={passkeys} />}
      <Actions><Button onPress={onClose}>Cancel</Button><Button type="submit" tone="primary" busy={form.busy.value}>Add</Button></Actions>
    </Form>
  </Dialog>
}

function Rename({ one, functions, onClose }: { one: PasskeyInfo, functions: PasskeyFunctions, onClose: () => void }) {
  const form = useForm({ Name: one.Name }, { success: '', save: values => functions.rename(one.ID, values.Name.trim()), done: onClose })
  return <Dialog title="Rename the passkey" onClose={onClose}>
    <Form model={form} bar={false}>
      <TextField label="Name" bind={form.field('Name')} autofocus />
      <Actions><Button onPress={onClose}>Cancel</Button><Button type="submit" tone="primary" busy={form.busy.value}>Rename</Button></Actions>
    </Form>
  </Dialog>
}

function Remove({ one, passkeys, functions, onClose }: { one: PasskeyInfo, passkeys: readonly PasskeyInfo[], functions: PasskeyFunctions, onClose: () => void }) {
  const form = useForm({ Code: '' }, {
    success: 'Passkey removed',
    save: async values => {
      const code = values.Code.trim()
      await functions.remove(one.ID, code, await proof(functions, passkeys, code))
    },
    done: onClose,
  })
  return <Dialog title={`Remove the passkey ${one.Name}?`} onClose={onClose}>
    <Form model={form} bar={false}>
      <p>It does not log in any more. Remove it from the device or password manager, too.</p>
      <CodeField bind={form.field('Code')} passkeys={passkeys} />
      <Actions><Button onPress={onClose}>Cancel</Button><Button type="submit" tone="destroy" busy={form.busy.value}>Remove</Button></Actions>
    </Form>
  </Dialog>
}
