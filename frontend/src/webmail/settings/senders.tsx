// Whom one is when one writes: name, signatures, Reply-To and Bcc of each address.

import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { call, orThrow } from '../../api/jmap/client'
import type { EmailAddress, Identity } from '../../api/jmap/types'
import { Actions, Button, Dialog, Empty, Fields, Form, TextArea, TextField, toast, useForm } from '../../kit'
import { explain } from '../../lib/problem'
import { flaw, parseAddresses, writeAddresses } from '../compose/addresses'
import { Toolbar } from '../compose/editor'
import type { Editor } from '../compose/squire'
import { htmlToText, textToHTML } from '../compose/text'
import { identities } from '../model'
import '../compose/compose.css'

export function Senders() {
  const [edited, setEdited] = useState<Identity | null>(null), list = identities.value
  if (list.length === 0) return <Empty icon="mail">There is no address to write from.</Empty>
  return <>
    <ul class="senders">{list.map(one => <li key={one.id}>
      <div><span class="strong wrap">{one.email.startsWith('*') ? `Every address of ${one.email.slice(2)}` : one.email}</span>
        <span class="muted small">{[one.name, signatureLine(one)].filter(text => text !== '').join(' · ')}</span></div>
      <Button small icon="edit" onPress={() => setEdited(one)}>Edit</Button>
    </li>)}</ul>
    {edited && <SenderDialog identity={edited} onClose={() => setEdited(null)} />}
  </>
}

function signatureLine({ textSignature, htmlSignature }: Identity): string {
  const first = (textSignature || htmlToText(htmlSignature)).trim().split('\n')[0] ?? ''
  return first === '' ? '' : `signature “${first.length > 40 ? `${first.slice(0, 40)}…` : first}”`
}

interface Values { name: string, textSignature: string, htmlSignature: string, replyTo: string, bcc: string }

function SenderDialog({ identity, onClose }: { identity: Identity, onClose: () => void }) {
  const [turn, setTurn] = useState(0)
  const form = useForm<Values>({
    name: identity.name, textSignature: identity.textSignature, htmlSignature: identity.htmlSignature, replyTo: writeAddresses(identity.replyTo ?? []), bcc: writeAddresses(identity.bcc ?? []),
  }, {
    check: values => {
      const wrong = (text: string) => parseAddresses(text).map(one => flaw(one.email)).find(one => one !== null)
      const errors: Partial<Record<keyof Values, string>> = {}
      for (const name of ['replyTo', 'bcc'] as const) {
        const found = wrong(values[name])
        if (found) errors[name] = found
      }
      return errors
    },
    save: async values => {
      const addresses = (text: string): EmailAddress[] | null => text.trim() === '' ? null : parseAddresses(text)
      const given = { name: values.name.trim(), textSignature: values.textSignature, htmlSignature: values.htmlSignature, replyTo: addresses(values.replyTo), bcc: addresses(values.bcc) }
      orThrow(await call('Identity/set', { update: { [identity.id]: given } }))
      identities.value = identities.peek().map(one => one.id === identity.id ? { ...one, ...given } : one)
    },
    done: onClose,
  })
  const { textSignature, htmlSignature } = form.values.value
  return <Dialog title={identity.email.startsWith('*') ? identity.email.slice(1) : identity.email} wide onClose={onClose}>
    <Form model={form} bar={false}>
      <TextField label="Name" bind={form.field('name')} autocomplete="name" help="In From of what you write." />
      <TextArea label="Signature in plain text" bind={form.field('textSignature')} rows={3} />
      <div class="field"><span class="label" id="htmlsignature">Signature with formatting</span>
        <SignatureField value={htmlSignature} turn={turn} onChange={html => form.field('htmlSignature').set(html)} />
        <div class="row">
          <Button small disabled={textSignature.trim() === ''} onPress={() => {
            form.field('htmlSignature').set(textToHTML(textSignature))
            setTurn(turn + 1)
          }}>Make it of the plain one</Button>
          <Button small disabled={htmlSignature === ''} onPress={() => form.field('textSignature').set(htmlToText(htmlSignature))}>Make the plain one of it</Button>
        </div>
        <span class="help">Where it is empty, the plain one is used.</span>
      </div>
      <Fields>
        <TextField label="Reply to" bind={form.field('replyTo')} help="Where answers are to go, if not to this address." />
        <TextField label="Bcc" bind={form.field('bcc')} help="Always gets a copy that nobody else sees." />
      </Fields>
      <Actions><Button onPress={onClose}>Cancel</Button><Button type="submit" tone="primary" busy={form.busy.value}>Save</Button></Actions>
    </Form>
  </Dialog>
}

/** `turn` counts how often the value was replaced by others than the editor: while somebody types, it knows better. */
function SignatureField({ value, turn, onChange }: { value: string, turn: number, onChange: (html: string) => void }) {
  const root = useRef<HTMLDivElement>(null), [editor, setEditor] = useState<Editor | null>(null), latest = useRef(onChange)
  latest.current = onChange
  useLayoutEffect(() => {
    let made: Editor | null = null, gone = false
    void import('../compose/squire').then(({ Editor, exported }) => {
      if (gone || !root.current) return
      made = new Editor(root.current, () => null, error => toast(explain(error), 'bad'))
      made.setHTML(value)
      made.addEventListener('input', () => {
        const html = exported(made?.getHTML() ?? '')
        latest.current(htmlToText(html).trim() === '' ? '' : html)
      })
      setEditor(made)
    }, () => toast('The editor could not be loaded. Check the connection and try again.', 'bad'))
    return () => {
      gone = true
      made?.destroy()
    }
  }, [])
  useEffect(() => {
    if (turn > 0) editor?.setHTML(value)
  }, [turn])
  return <div class="signaturefield input">
    <div class="htmlbody" ref={root} role="textbox" aria-multiline="true" aria-labelledby="htmlsignature" tabIndex={0} />
    {editor && <Toolbar editor={editor} active={new Set()} />}
  </div>
}
