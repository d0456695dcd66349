// Two-step login: codes of an authenticator beside the password, and recovery codes for when it is lost.

import { useState } from 'preact/hooks'
import * as api from '../api/account'
import { Actions, Badge, Button, Card, CodeBlock, CopyButton, Dialog, Facts, Loaded, Notice, Page, Time, attempt, confirm, toast } from '../kit'
import { plural } from '../lib/format'
import { explain } from '../lib/problem'
import { href } from '../lib/router'
import { factor, need } from './model'
import { CodeDialog } from './parts'

type Step = { kind: 'set up', offer: api.TOTPOffer } | { kind: 'codes', codes: string[] } | { kind: 'remove' } | { kind: 'renew' }

export function FactorPage() {
  need(factor)
  const [step, setStep] = useState<Step | null>(null)
  const close = () => setStep(null)
  const begin = async () => {
    try {
      setStep({ kind: 'set up', offer: await api.TOTPBegin() })
    } catch (error) {
      toast(explain(error), 'bad')
    }
  }
  const show = async (codes: string[]) => {
    setStep({ kind: 'codes', codes })
    await factor.reload()
  }
  const state = factor.data.value
  return <Page title="Two-step login" about="A login in a browser then takes a code of your phone beside the password." badge={state && <Badge state={state.TOTP ? 'good' : 'warn'}>{state.TOTP ? 'on' : 'off'}</Badge>}>
    <Loaded of={factor}>{state => <>
      {state.TOTP
        ? <Card title="Authenticator" actions={<Button tone="danger" onPress={() => setStep({ kind: 'remove' })}>Switch off</Button>}>
          <Facts rows={[['On since', <Time at={state.Created} full />], ['Asked for', 'at every login in a browser']]} />
        </Card>
        : <Card title="Authenticator" about="An app that shows a new code every 30 seconds: Aegis, 2FAS, FreeOTP, Google Authenticator, a password manager." actions={<Button tone="primary" icon="shield" onPress={begin}>Set up</Button>} />}
      {state.TOTP && <Card title="Recovery codes" about="For when your phone is lost. Each works once, in place of a code." actions={<Button icon="refresh" onPress={() => setStep({ kind: 'renew' })}>Make new ones</Button>}>
        {state.RecoveryCodesLeft > 3 ? <p>{plural(state.RecoveryCodesLeft, 'code')} left.</p>
          : <Notice state="warn">{state.RecoveryCodesLeft === 0 ? 'None is left: if you lose your phone, only the administrator can let you in.' : `Only ${plural(state.RecoveryCodesLeft, 'code')} left.`}</Notice>}
      </Card>}
      <Programs state={state} />
    </>}</Loaded>
    {step?.kind === 'set up' && <SetUp offer={step.offer} onClose={close} onDone={show} />}
    {step?.kind === 'codes' && <Codes codes={step.codes} onClose={close} />}
    {step?.kind === 'remove' && <CodeDialog title="Switch off two-step login?" text="The password alone is then enough to get in. Type a code, or a recovery code." action="Switch off" danger onClose={close}
      onCode={async code => { if (await attempt(() => api.TOTPRemove(code), 'Two-step login is off')) { close(); await factor.reload() } }} />}
    {step?.kind === 'renew' && <CodeDialog title="Make new recovery codes?" text="The old ones stop working. Type a code of your authenticator." action="Make new codes" onClose={close}
      onCode={async code => { await attempt(async () => show(await api.RecoveryCodesRenew(code))) }} />}
  </Page>
}

function Programs({ state }: { state: api.SecondFactorInfo }) {
  const set = async (on: boolean) => {
    if (on && !await confirm({ title: 'Only app passwords for mail programs?', action: 'Switch on', harmless: true, consequences: ['Mail programs that have the account’s password cannot log in any more.', 'Each needs an app password, or a TLS key.'] })) return
    if (await attempt(() => api.AppPasswordsOnlySave(on), 'Saved')) await factor.reload()
  }
  return <Card title="Mail programs" about="They cannot ask for codes. With passwords of their own, the account’s is for browsers alone."
    actions={<Button pressed={state.AppPasswordsOnly} onPress={() => set(!state.AppPasswordsOnly)}>{state.AppPasswordsOnly ? 'Let them use the account’s password' : 'Require app passwords'}</Button>}>
    {state.AppPasswordsOnly ? <p><Badge state="good">on</Badge> Mail programs need <a href={href(['apppasswords'])}>app passwords</a> or <a href={href(['keys'])}>TLS keys</a>.</p>
      : <p><Badge state={state.TOTP ? 'warn' : 'plain'}>off</Badge> Mail programs may log in with the account’s password, without a code.</p>}
  </Card>
}

function SetUp({ offer, onClose, onDone }: { offer: api.TOTPOffer, onClose: () => void, onDone: (codes: string[]) => Promise<void> }) {
  const [code, setCode] = useState(''), [problem, setProblem] = useState(''), [busy, setBusy] = useState(false)
  const submit = async (event: Event) => {
    event.preventDefault()
    setBusy(true)
    setProblem('')
    try {
      await onDone(await api.TOTPConfirm(offer.Secret, code.replace(/\s/g, '')))
    } catch (error) {
      setProblem(explain(error))
    } finally {
      setBusy(false)
    }
  }
  return <Dialog title="Set up two-step login" onClose={onClose}>
    <form class="stack" onSubmit={submit}>
      <div class="qr">
        <img src={offer.QRCode} alt="QR code for your authenticator" />
        <div>
          <p><span class="strong">1.</span> Scan this with your authenticator, or type the secret there:</p>
          <CodeBlock text={(offer.Secret.match(/.{1,4}/g) ?? []).join(' ')} what="the secret" breaks />
          <p class="small"><a href={offer.URI}>Open in an authenticator on this device</a></p>
        </div>
      </div>
      <div class="field">
        <label for="totp-code"><span class="strong">2.</span> The code that it shows now</label>
        <input id="totp-code" class="input code" inputMode="numeric" autocomplete="one-time-code" maxLength={8} value={code} autofocus aria-invalid={problem !== '' || undefined}
          onInput={event => setCode(event.currentTarget.value)} />
      </div>
      {problem && <Notice state="bad">{problem}</Notice>}
      <Actions><Button onPress={onClose}>Cancel</Button><Button type="submit" tone="primary" disabled={!/^\s*\d{3}\s?\d{3}\s*$/.test(code)} busy={busy}>Switch on</Button></Actions>
    </form>
  </Dialog>
}

function Codes({ codes, onClose }: { codes: string[], onClose: () => void }) {
  const text = codes.join('\n')
  return <Dialog title="Your recovery codes" onClose={onClose}>
    <Notice state="warn">Keep them where you find them without your phone. They are shown this once.</Notice>
    <ul class="recovery" aria-label="Recovery codes">{codes.map(one => <li key={one}><code>{one}</code></li>)}</ul>
    <Actions>
      <a class="button plain" href={`data:text/plain;charset=utf-8,${encodeURIComponent(`${text}\n`)}`} download="moxpy-recovery-codes.txt">Download</a>
      <CopyButton text={text} what="the codes" label="Copy" />
      <Button tone="primary" onPress={onClose}>I have kept them</Button>
    </Actions>
  </Dialog>
}

