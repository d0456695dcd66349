// Webmail: the page of whoever reads mail here. It speaks JMAP; only logging in is its own.

import { call, loggedOut } from '../api/wire'
import { Confirmations, Guard, LoginView, start, Toasts } from '../kit'
import { loginNeeded } from '../api/wire'
import type { PasskeyLogins } from '../kit'
import { ApiError } from '../lib/problem'
import { Compose, openCompose } from './compose'
import { follow, inbox, mailboxes } from './model'

async function logIn(address: string, password: string, code: string): Promise<string> {
  const token = await call<string>('LoginPrep')
  return call<string>('Login', code === '' ? [token, address, password] : [token, address, password, code])
}

export async function logOut() {
  try {
    await call('Logout')
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
  }
  loggedOut()
  location.reload()
}

const passkeys: PasskeyLogins = {
  ask: () => call('PasskeyLoginPrep'),
  alone: (token, answer) => call('PasskeyLogin', [token, answer]),
  beside: (token, { address, password }, answer) => call('Login', [token, address, password, null, answer]),
}

function App() {
  return <>
    <Guard><main><button type="button" onClick={() => openCompose({ kind: 'new' })}>Compose</button><p>{inbox.value?.name} {mailboxes.value.length}</p></main></Guard>
    <Compose />
    {loginNeeded.value && <LoginView application="moxpy webmail" withAddress logIn={({ address, password, code }) => logIn(address, password, code)} passkeys={passkeys} />}
    <Confirmations />
    <Toasts />
  </>
}

start('webwebmail', 'moxpy', <App />)
follow()
