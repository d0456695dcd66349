// IMAP: what is not announced to mail programs that misuse it.

import * as api from '../api/account'
import { Card, Form, ListField, Page, useForm } from '../kit'
import { account } from './model'
import { WithAccount } from './parts'

/** Extensions that programs are known to trip over, and what goes without. */
const KNOWN: readonly (readonly [string, string])[] = [
  ['CONDSTORE', 'changes since a moment; QRESYNC needs it'], ['QRESYNC', 'quick synchronisation'], ['NOTIFY', 'news of all mailboxes at once'], ['IDLE', 'news of the open mailbox at once'],
  ['COMPRESS=DEFLATE', 'compressed connections'], ['UTF8=ACCEPT', 'addresses and headers beyond ASCII'], ['IMAP4REV2', 'the newer edition of the protocol'], ['METADATA', 'notes at mailboxes'],
]

export function IMAPPage() {
  return <Page title="IMAP" about="For mail programs that misbehave. Without trouble, leave it as it is.">
    <WithAccount>{({ Config }) => <Capabilities disabled={Config.IMAPCapabilitiesDisabled} />}</WithAccount>
  </Page>
}

function Capabilities({ disabled }: { disabled: string[] }) {
  const form = useForm({ disabled }, {
    success: 'Saved. It counts from the next connection.',
    save: values => api.IMAPSave(values.disabled),
    done: () => { void account.reload() },
  })
  const bind = form.field('disabled'), list = bind.value.map(one => one.toUpperCase())
  const known = KNOWN.map(([name]) => name), others = list.filter(one => !known.includes(one))
  const set = (name: string, on: boolean) => bind.set(on ? [...list, name] : list.filter(one => one !== name))
  return <Card title="Hidden capabilities" about="What is ticked is not announced to your mail programs."><Form model={form}>
    <div class="boxes" role="group" aria-label="Capabilities">{KNOWN.map(([name, text]) => <div class="check" key={name}>
      <input type="checkbox" id={`cap-${name}`} checked={list.includes(name)} onChange={event => set(name, event.currentTarget.checked)} />
      <div><label for={`cap-${name}`}><code>{name}</code></label><div class="help">{text}</div></div>
    </div>)}</div>
    <ListField label="Others" mono bind={{ ...bind, value: others, set: value => bind.set([...list.filter(one => known.includes(one)), ...value.map(one => one.toUpperCase())]) }} rows={2} help="Names of capabilities, one a line." />
  </Form></Card>
}
