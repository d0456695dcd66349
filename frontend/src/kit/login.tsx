// LoginView: asks who somebody is: an address where the application has accounts, a password, and the code of a second
// factor if the server wants one; or a passkey, in place of all that or of the code. Over the page that was shown, so that one goes on there.

import type { ComponentChildren } from 'preact'
import { useEffect, useId, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { loggedIn } from '../api/wire'
import { hasPasskeys, showPasskey, type Answer, type Question } from '../lib/passkeys'
import { ApiError, explain } from '../lib/problem'
import { Notice } from './badge'
import { Button } from './button'
import icon from './icon.svg'
import './login.css'

export interface Credentials {
  /** Empty where there is one user only. */
  address: string
  password: string
  /** Of the second factor; empty at first. */
  code: string
}

/** Functions of both APIs. */
export interface PasskeyLogins {
  ask: () => Promise<Question & { LoginToken: string }>
  alone: (loginToken: string, answer: Answer) => Promise<string>
  beside: (loginToken: string, credentials: Credentials, answer: Answer) => Promise<string>
}

interface Props {
  application: string
  /** Whether an address is asked for. */
  withAddress: boolean
  /** The token of the new session. Throws ApiError; `user:codeWanted` when a code is wanted. */
  logIn: (credentials: Credentials) => Promise<string>
  /** With a passkey, alone or beside a password. */
  passkeys?: PasskeyLogins
  foot?: ComponentChildren
}

let wasLoggedIn = false

export function LoginView({ application, withAddress, logIn, passkeys, foot }: Props) {
  const dialog = useRef<HTMLDialogElement>(null), id = useId()
  const [credentials, setCredentials] = useState<Credentials>({ address: '', password: '', code: '' })
  const [wantsCode, setWantsCode] = useState(false), [problem, setProblem] = useState(''), [busy, setBusy] = useState(false)
  useLayoutEffect(() => {
    const element = dialog.current
    element?.showModal()
    element?.querySelector('input')?.focus()
    return () => element?.close()
  }, [])
  useEffect(() => { if (wantsCode) dialog.current?.querySelector<HTMLElement>('[name="code"]')?.focus() }, [wantsCode])
  const change = (name: keyof Credentials) => (event: { currentTarget: HTMLInputElement }) =>
    setCredentials({ ...credentials, [name]: event.currentTarget.value })
  const submit = (event: Event) => {
    event.preventDefault()
    return enter(() => logIn(credentials))
  }
  const byPasskey = async (functions: PasskeyLogins) => {
    const asked = await functions.ask(), answer = await showPasskey(asked)
    return wantsCode ? functions.beside(asked.LoginToken, credentials, answer) : functions.alone(asked.LoginToken, answer)
  }
  const enter = async (way: () => Promise<string>) => {
    if (busy) return
    setBusy(true)
    setProblem('')
    try {
      const token = await way()
      wasLoggedIn = true
      loggedIn(token)
    } catch (error) {
      if (error instanceof ApiError && error.code === 'user:codeWanted' && !wantsCode && credentials.password !== '') setWantsCode(true)
      else setProblem(explain(error))
    } finally {
      setBusy(false)
    }
  }
  return <dialog ref={dialog} class={`login${wasLoggedIn ? ' again' : ''}`} aria-labelledby={`${id}-title`} onCancel={event => event.preventDefault()}>
    <div>
      <div class="head"><img src={icon} alt="" /><h1 id={`${id}-title`}>{application}</h1></div>
      <form onSubmit={submit}>
        {withAddress && <div class="field">
          <label for={`${id}-address`}>E-mail address</label>
          <input id={`${id}-address`} class="input" type="email" name="username" autocomplete="username" required value={credentials.address}
            readOnly={wantsCode} onInput={change('address')} />
        </div>}
        <div class="field">
          <label for={`${id}-password`}>Password</label>
          <input id={`${id}-password`} class="input" type="password" name="password" autocomplete="current-password" required
            value={credentials.password} readOnly={wantsCode} onInput={change('password')} />
        </div>
        {wantsCode && <div class="field">
          <label for={`${id}-code`}>Code</label>
          <input id={`${id}-code`} class="input" name="code" inputMode="numeric" autocomplete="one-time-code" required value={credentials.code}
            aria-describedby={`${id}-help`} onInput={change('code')} />
          <span class="help" id={`${id}-help`}>From your authenticator, or one of your recovery codes.</span>
        </div>}
        {problem !== '' && <Notice state="bad">{problem}</Notice>}
        <Button type="submit" tone="primary" busy={busy}>Log in</Button>
        {passkeys && hasPasskeys() && <Button icon="key" onPress={() => enter(() => byPasskey(passkeys))}>Use a passkey</Button>}
        {wantsCode && <Button tone="quiet" onPress={() => {
          setWantsCode(false)
          setCredentials({ ...credentials, code: '' })
        }}>Back</Button>}
      </form>
      {foot && <div class="foot">{foot}</div>}
    </div>
  </dialog>
}
