// IMAP: what is not announced to mail programs that misuse it.

import * as api from '../api/account'
import { Card, Form, Loaded, Page, useForm } from '../kit'
import { plural } from '../lib/format'
import { useResource } from '../lib/resource'
import { account } from './model'
import { WithAccount } from './parts'

/** What goes without, for those that programs are known to trip over. */
const ABOUT: Readonly<Record<string, string>> = {
  'CONDSTORE': 'changes since a moment; QRESYNC needs it', 'QRESYNC': 'quick synchronisation', 'NOTIFY': 'news of all mailboxes at once', 'IDLE': 'news of the open mailbox at once',
  'COMPRESS=DEFLATE': 'compressed connections', 'UTF8=ACCEPT': 'addresses and headers beyond ASCII', 'IMAP4REV2': 'the newer edition of the protocol', 'METADATA': 'notes at mailboxes',
}

export function IMAPPage() {
  const all = useResource(() => api.IMAPCapabilities())
  return <Page title="IMAP" about="For mail programs that misbehave. Without trouble, leave it as it is.">
    <WithAccount>{({ Config }) => <Loaded of={all}>{all => <Capabilities disabled={Config.IMAPCapabilitiesDisabled} all={all} />}</Loaded>}</WithAccount>
  </Page>
}

function Capabilities({ disabled, all }: { disabled: string[], all: readonly string[] }) {
  const form = useForm({ disabled }, {
    success: 'Saved. It counts from the next connection.',
    save: values => api.IMAPSave(values.disabled),
    done: () => { void account.reload() },
  })
  const bind = form.field('disabled'), list = bind.value.map(one => one.toUpperCase())
  // What is hidden and is not announced any more can be taken back, too.
  const names = [...new Set([...all, ...disabled.map(one => one.toUpperCase())])]
  const [often, seldom] = [names.filter(one => one in ABOUT), names.filter(one => !(one in ABOUT))]
  const box = (names: readonly string[], label: string) => <div class="boxes" role="group" aria-label={label}>{names.map(name => <div class="check" key={name}>
    <input type="checkbox" id={`cap-${name}`} checked={list.includes(name)} onChange={event => set(name, event.currentTarget.checked)} />
    <div><label for={`cap-${name}`}><code>{name}</code></label>{ABOUT[name] && <div class="help">{ABOUT[name]}</div>}</div>
  </div>)}</div>
  const set = (name: string, on: boolean) => bind.set(on ? [...list, name] : list.filter(one => one !== name))
  return <Card title="Hidden capabilities" about="What is ticked is not announced to your mail programs."><Form model={form}>
    {box(often, 'Those that programs trip over')}
    <details open={seldom.some(one => list.includes(one))}><summary>{plural(seldom.length, 'other')}</summary>{box(seldom, 'Others')}</details>
  </Form></Card>
}
