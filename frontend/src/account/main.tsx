// An account's own pages: which page stands at which place.

import * as api from '../api/account'
import { endSession } from '../api/wire'
import { Empty, Guard, LoginView, Page, Shell, start, type Command, type PlaceGroup } from '../kit'
import { go, href, route } from '../lib/router'
import { AddressPage, AddressesPage } from './address'
import { TokensPage } from './apitokens'
import { AppPasswordsPage } from './apppasswords'
import { ClientsPage } from './clients'
import { DataPage } from './data'
import { IMAPPage } from './imap'
import { JunkPage } from './junk'
import { account, addresses, follow } from './model'
import { OverviewPage } from './overview'
import { PasswordPage } from './password'
import { ProfilePage } from './profile'
import { RefusedPage } from './refused'
import { FactorPage } from './secondfactor'
import { SenderIDsPage } from './senderids'
import { LoginsPage, SessionsPage } from './sessions'
import { SuppressionPage } from './suppression'
import { KeysPage } from './tlskeys'
import { WebhooksPage } from './webhooks'
import './account.css'

function Current() {
  const [first, second, third] = route.value.path
  switch (first) {
    case undefined: return <OverviewPage />
    case 'addresses': return second ? <AddressPage key={second} address={second} tab={third} /> : <AddressesPage />
    case 'refused': return <RefusedPage />
    case 'junk': return <JunkPage tab={second} />
    case 'profile': return <ProfilePage />
    case 'clients': return <ClientsPage />
    case 'password': return <PasswordPage />
    case 'secondfactor': return <FactorPage />
    case 'apppasswords': return <AppPasswordsPage />
    case 'keys': return <KeysPage />
    case 'sessions': return <SessionsPage />
    case 'logins': return <LoginsPage />
    case 'suppression': return <SuppressionPage />
    case 'senderids': return <SenderIDsPage />
    case 'webhooks': return <WebhooksPage tab={second} />
    case 'data': return <DataPage />
    case 'tokens': return <TokensPage />
    case 'imap': return <IMAPPage />
    default: return <Page title="There is no such page"><Empty icon="search">The address leads nowhere. <a href="#/">To the overview</a></Empty></Page>
  }
}

function places(): PlaceGroup[] {
  const at = (title: string, icon: PlaceGroup['places'][number]['icon'], ...path: string[]) => ({ title, icon, path, href: href(path) })
  return [
    { places: [at('Overview', 'home'), at('Name and looks', 'person', 'profile'), at('Mail programs', 'screen', 'clients'), at('Import and export', 'download', 'data')] },
    { title: 'Receiving', places: [at('Addresses', 'mail', 'addresses'), at('Junk', 'filter', 'junk'), at('Refused mail', 'ban', 'refused')] },
    { title: 'Security', places: [
      at('Password', 'lock', 'password'), at('Two-step login', 'shield', 'secondfactor'), at('App passwords', 'key', 'apppasswords'), at('TLS keys', 'file', 'keys'),
      at('Sessions', 'globe', 'sessions'), at('Login attempts', 'history', 'logins'),
    ] },
    { title: 'Sending', places: [at('Suppression', 'ban', 'suppression'), at('Sender ids', 'route', 'senderids')] },
    { title: 'For programs', places: [at('Webhooks', 'hook', 'webhooks'), at('API tokens', 'dns', 'tokens'), at('IMAP', 'gear', 'imap')] },
  ]
}

function commands(): Command[] {
  const info = account.data.value
  return info ? addresses(info.Config).map(one => ({ title: one, kind: 'address', icon: 'mail' as const, run: () => go(['addresses', one]) })) : []
}

async function logIn(address: string, password: string, code: string): Promise<string> {
  const token = await api.LoginPrep()
  return api.Login(token, address, password, code === '' ? undefined : code)
}

function App() {
  return <Shell application="Account" groups={places()} who={account.data.value?.LoginAddress ?? ''} onLogOut={() => endSession(api.Logout)} commands={commands()}
    login={<LoginView application="moxpy account" withAddress logIn={({ address, password, code }) => logIn(address, password, code)}
      passkeys={{ ask: api.PasskeyLoginPrep, alone: api.PasskeyLogin, beside: (token, { address, password }, answer) => api.Login(token, address, password, undefined, answer) }} />}>
    <Guard key={route.value.path[0] ?? ''}><Current /></Guard>
  </Shell>
}

start('webaccount', 'moxpy account', <App />)
follow()
