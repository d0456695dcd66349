// Two-step login: codes of an authenticator beside the password, and what mail programs may log in with then.

import * as api from '../api/account'
import { Badge, Button, Card, Page, SecondFactorCard, attempt, confirm } from '../kit'
import { href } from '../lib/router'
import { factor } from './model'

export function FactorPage() {
  const state = factor.data.value
  const load = async () => {
    const found = await api.SecondFactor()
    factor.set(found)
    return found
  }
  return <Page title="Two-step login" about="A login in a browser then takes a passkey, or a code of your phone beside the password." badge={state && <Badge state={isOn(state) ? 'good' : 'warn'}>{isOn(state) ? 'on' : 'off'}</Badge>}>
    <SecondFactorCard load={load} begin={api.TOTPBegin} enable={api.TOTPConfirm} disable={api.TOTPRemove} renew={api.RecoveryCodesRenew}
      passkeys={{ ask: api.PasskeyAsk, begin: api.PasskeyBegin, add: api.PasskeyAdd, rename: api.PasskeyRename, remove: api.PasskeyRemove }} />
    {state && <Programs state={state} />}
  </Page>
}

function isOn(state: api.SecondFactorInfo): boolean {
  return state.TOTP || state.Passkeys.length > 0
}

function Programs({ state }: { state: api.SecondFactorInfo }) {
  const set = async (on: boolean) => {
    if (on && !await confirm({ title: 'Only app passwords for mail programs?', action: 'Require them', harmless: true, consequences: ['Mail programs that have the account’s password cannot log in any more.', 'Each needs an app password, or a TLS key.'] })) return
    if (await attempt(() => api.AppPasswordsOnlySave(on), 'Saved')) await factor.reload()
  }
  return <Card title="Mail programs" about="They cannot ask for codes. With passwords of their own, the account’s is for browsers alone."
    actions={<Button onPress={() => set(!state.AppPasswordsOnly)}>{state.AppPasswordsOnly ? 'Let them use the account’s password' : 'Require app passwords'}</Button>}>
    {state.AppPasswordsOnly ? <p><Badge state="good">app passwords only</Badge> Mail programs need <a href={href(['apppasswords'])}>app passwords</a> or <a href={href(['keys'])}>TLS keys</a>.</p>
      : <p><Badge state={isOn(state) ? 'warn' : 'plain'}>any password</Badge> Mail programs may log in with the account’s password, without a code.</p>}
  </Card>
}
