// TLS keys: mail programs with a certificate of one's own log in without a password.

import { useState } from 'preact/hooks'
import * as api from '../api/account'
import { Actions, Address, Button, Card, Checkbox, CodeBlock, Dialog, Fields, Form, Loaded, Page, Select, Table, TextArea, TextField, Time, attempt, confirm, useForm } from '../kit'
import { useResource } from '../lib/resource'
import { account, loginAddresses, need } from './model'

export function KeysPage() {
  need(account)
  const rows = useResource(() => api.TLSPublicKeys()), [edited, setEdited] = useState<api.TLSPublicKey | 'new' | null>(null)
  const remove = async (one: api.TLSPublicKey) => {
    if (await confirm({ title: `Remove the key ${one.Name}?`, action: 'Remove key', consequences: ['Programs with it cannot log in by it any more. Connections that it opened end.'] }) &&
      await attempt(() => api.TLSPublicKeyRemove(one.Fingerprint), 'Key removed')) await rows.reload()
  }
  return <Page title="TLS keys" about="A mail program that has one of these keys logs in by its certificate, without a password."
    actions={<Button tone="primary" icon="plus" onPress={() => setEdited('new')}>Add key</Button>}>
    <Card flush><Loaded of={rows}>{rows => <Table caption="keys" rows={rows} id={one => one.Fingerprint} empty="None yet." columns={[
      { id: 'name', title: 'Name', cell: one => one.Name || '–', sort: one => one.Name },
      { id: 'type', title: 'Type', cell: one => one.Type, sort: one => one.Type, fit: true },
      { id: 'address', title: 'Logs in as', cell: one => <Address value={one.LoginAddress} /> },
      { id: 'preauth', title: 'IMAP', cell: one => one.NoIMAPPreauth ? 'asks for a login' : 'logged in at once' },
      { id: 'fingerprint', title: 'Fingerprint', minor: true, cell: one => <code class="small">{one.Fingerprint}</code> },
      { id: 'created', title: 'Added', cell: one => <Time at={one.Created} />, sort: one => Date.parse(one.Created), fit: true },
    ]} actions={one => <>
      <Button tone="quiet" small square icon="edit" onPress={() => setEdited(one)}>Edit key</Button>
      <Button tone="quiet" small square icon="trash" onPress={() => remove(one)}>Remove key</Button>
    </>} />}</Loaded></Card>
    <HowTo />
    {edited && <KeyDialog of={edited === 'new' ? null : edited} onClose={() => setEdited(null)} done={rows.reload} />}
  </Page>
}

/** The name of the file in the commands; letters and digits of the address. */
export function fileName(address: string): string {
  return address.split('@')[0]?.replace(/[^A-Za-z0-9._-]/g, '').replace(/^[.-]+/, '') || 'mail'
}

function HowTo() {
  const name = fileName(account.data.value?.LoginAddress ?? '')
  return <Card title="How to make a key" about="Only the public key in the certificate counts; its names and dates are not looked at.">
    <ol class="steps">
      <li>A private key, with a passphrase, and a certificate for it:
        <CodeBlock breaks what="the command" text={`openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -days 36500 -subj "/CN=${name}" -keyout ${name}-key.pem -out ${name}-cert.pem`} /></li>
      <li>Add the certificate, <code>{name}-cert.pem</code>, here. Never the private key.</li>
      <li>Both in one file, for mail programs that import such (add <code>-legacy</code> for older ones):
        <CodeBlock breaks what="the command" text={`openssl pkcs12 -export -name "${name}" -inkey ${name}-key.pem -in ${name}-cert.pem -out ${name}.p12`} /></li>
      <li>Import <code>{name}.p12</code> in the mail program, and choose TLS certificate (EXTERNAL) as authentication.</li>
    </ol>
  </Card>
}

function KeyDialog({ of, onClose, done }: { of: api.TLSPublicKey | null, onClose: () => void, done: () => Promise<void> }) {
  const info = account.data.value, addresses = info ? loginAddresses(info.Config) : []
  const form = useForm({ LoginAddress: of?.LoginAddress ?? info?.LoginAddress ?? addresses[0] ?? '', Name: of?.Name ?? '', NoIMAPPreauth: of?.NoIMAPPreauth ?? false, CertPEM: '' }, {
    success: of ? 'Key changed' : 'Key added',
    check: values => !of && !values.CertPEM.includes('-----BEGIN CERTIFICATE-----')
      ? { CertPEM: values.CertPEM.includes('PRIVATE KEY') ? 'That is a private key. Keep it to yourself; the certificate is wanted.' : 'Begins with -----BEGIN CERTIFICATE-----' } : {},
    save: values => of ? api.TLSPublicKeyUpdate(of.Fingerprint, values.LoginAddress, values.Name.trim(), values.NoIMAPPreauth)
      : api.TLSPublicKeyAdd(values.LoginAddress, values.Name.trim(), values.NoIMAPPreauth, values.CertPEM),
    done: () => {
      onClose()
      void done()
    },
  })
  const read = async (file: File | undefined) => {
    if (file && file.size < 100_000) form.field('CertPEM').set(await file.text())
  }
  return <Dialog title={of ? 'Edit key' : 'Add key'} onClose={onClose}>
    <Form model={form} bar={false}>
      {!of && <>
        <TextArea label="Certificate" bind={form.field('CertPEM')} mono rows={6} placeholder="-----BEGIN CERTIFICATE-----" help="In PEM: paste it, or choose its file." />
        <input type="file" aria-label="File of the certificate" accept=".pem,.crt,.cer" onChange={event => read(event.currentTarget.files?.[0])} />
      </>}
      <Fields>
        <TextField label="Name" bind={form.field('Name')} placeholder={of ? '' : 'as in the certificate'} />
        <Select label="Logs in as" bind={form.field('LoginAddress')} choices={[...new Set([form.values.value.LoginAddress, ...addresses])].map(value => ({ value, label: value }))} />
      </Fields>
      <Checkbox label="IMAP asks for a login all the same" bind={form.field('NoIMAPPreauth')} help="For programs that insist on logging in: with AUTHENTICATE EXTERNAL." />
      <Actions><Button onPress={onClose}>Cancel</Button><Button type="submit" tone="primary" busy={form.busy.value}>{of ? 'Save' : 'Add key'}</Button></Actions>
    </Form>
  </Dialog>
}
