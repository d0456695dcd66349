// What to enter in a mail program, and ways to have it entered.

import { useState } from 'preact/hooks'
import * as api from '../api/account'
import { Address, Card, CopyButton, Facts, LinkButton, Loaded, Notice, Page, Select, Table } from '../kit'
import { useResource } from '../lib/resource'
import { href } from '../lib/router'
import { account, factor, loginAddresses, need } from './model'

export function ClientsPage() {
  need(account, factor)
  const rows = useResource(() => api.ClientConfigs())
  const login = account.data.value?.LoginAddress ?? '', only = factor.data.value?.AppPasswordsOnly ?? false
  return <Page title="Mail programs" about="What to enter to read and send mail with Thunderbird, Outlook, Apple Mail, K-9 and others.">
    <Notice>Most programs find the servers by themselves: your address and a password are enough.</Notice>
    <Card title="Login" actions={<LinkButton icon="key" href={href(['apppasswords'])}>Make an app password</LinkButton>}>
      <Facts rows={[
        ['User name', <span class="copyable"><Address value={login} /><CopyButton text={login} what="the user name" /></span>],
        ['Password', only ? 'an app password; that of the account is for browsers alone' : 'an app password, or that of the account'],
        ['Authentication', 'encrypted password (SCRAM), or normal password over TLS'],
      ]} />
    </Card>
    <Loaded of={rows}>{rows => {
      const domains = [...new Set(rows.map(one => one.Domain))]
      return domains.length === 0 ? <Notice state="warn">No server for mail programs is switched on. The administrator can tell more.</Notice> : <>{domains.map(domain =>
        <Card key={domain} title={domains.length > 1 ? `Servers for ${domain}` : 'Servers'} flush>
          <Table caption="servers" rows={rows.filter(one => one.Domain === domain)} id={one => `${one.Protocol} ${one.Host} ${one.Port}`} columns={[
            { id: 'for', title: 'For', cell: one => one.Protocol.startsWith('IMAP') ? 'Reading' : 'Sending' },
            { id: 'protocol', title: 'Protocol', cell: one => one.Protocol.startsWith('IMAP') ? 'IMAP' : 'SMTP' },
            { id: 'host', title: 'Server', cell: one => <span class="copyable"><span class="mono">{one.Host}</span><CopyButton text={one.Host} what="the server" /></span> },
            { id: 'port', title: 'Port', cell: one => <span class="mono">{one.Port}</span>, fit: true },
            { id: 'note', title: 'Security', cell: one => <>{one.Note}{isFallback(rows, one) && <span class="muted">, where the port above is blocked</span>}</> },
          ]} />
        </Card>)}</>
    }}</Loaded>
    {account.data.value && <Apple all={loginAddresses(account.data.value.Config)} login={login} />}
  </Page>
}

/** Whether a better server for the same stands before it: mail programs reach this one through a port for HTTPS. */
export function isFallback(all: readonly api.ClientConfig[], one: api.ClientConfig): boolean {
  return all.find(other => other.Domain === one.Domain && other.Protocol === one.Protocol) !== one
}

function Apple({ all, login }: { all: string[], login: string }) {
  const [address, setAddress] = useState(all.includes(login) ? login : all[0] ?? '')
  const profile = useResource(() => address === '' ? Promise.resolve(null) : api.AppleProfile(address), [address])
  // Servers that serve no settings have no profiles either.
  if (profile.data.value === null) return null
  return <Card title="iPhone, iPad and Mac" about="A profile with these settings; the device asks for the password.">
    {all.length > 1 && <Select label="For" bind={{ name: 'address', value: address, error: undefined, set: value => setAddress(value), fail: () => undefined }} choices={all.map(value => ({ value, label: value }))} />}
    <Loaded of={profile}>{found => found && <div class="qr">
      <img src={found.QRCode} alt="QR code of the profile's address" />
      <div>
        <p>On the phone: scan this with the camera, and allow the download. Then install it under Settings, Profile Downloaded.</p>
        <p>On a Mac: download it here, and open it.</p>
        <div class="row"><LinkButton icon="download" href={found.URL}>Download profile</LinkButton><CopyButton text={found.URL} what="its address" label="Copy address" /></div>
      </div>
    </div>}</Loaded>
  </Card>
}
