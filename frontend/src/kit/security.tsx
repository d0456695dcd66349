// How one logs in, the same for accounts and the administrator: SecondFactorCard (codes of an authenticator, recovery
// codes), SessionsCard (browsers that are logged in), TokensCard (tokens for scripts). Functions and values come by props,
// in the shapes that both APIs have.

import { useState } from 'preact/hooks'
import type { APIToken, Session } from '../api/shared'
import type { Answer } from '../lib/passkeys'
import { useResource } from '../lib/resource'
import { Badge, Notice } from './badge'
import { Button } from './button'
import { CopyButton } from './copy'
import { Actions, confirm, Dialog } from './dialog'
import { Checkbox, Form, Select, TextField, useForm } from './form'
import { Loaded } from './loaded'
import { Card, Facts } from './page'
import { PasskeysCard, proof, type PasskeyFunctions, type PasskeyInfo } from './passkeys'
import { Empty, Table } from './table'
import { Time } from './time'
import { attempt } from './toast'
import './security.css'

export interface SecondFactorState { TOTP: boolean, Created: string | null, RecoveryCodesLeft: number, Passkeys: readonly PasskeyInfo[] }
export interface Offer { Secret: string, URI: string, QRCode: string }

interface FactorProps {
  load: () => Promise<SecondFactorState>
  begin: () => Promise<Offer>
  /** Returns recovery codes. */
  enable: (secret: string, code: string, passkey?: Answer) => Promise<string[]>
  disable: (code: string, passkey?: Answer) => Promise<void>
  renew: (code: string, passkey?: Answer) => Promise<string[]>
  passkeys: PasskeyFunctions
}

export function SecondFactorCard({ load, begin, enable, disable, renew, passkeys }: FactorProps) {
  const state = useResource(load)
  const [offer, setOffer] = useState<Offer | null>(null), [codes, setCodes] = useState<string[] | null>(null), [asking, setAsking] = useState<'' | 'disable' | 'renew'>('')
  const show = (made: string[]) => {
    setOffer(null)
    setAsking('')
    setCodes(made)
    void state.reload()
  }
  const known = state.data.value?.Passkeys ?? []
  return <><Card title="Second factor" about="A code of a program on your phone, beside the password: a stolen password alone lets nobody in.">
    <Loaded of={state}>{({ TOTP, Created, RecoveryCodesLeft, Passkeys }) => TOTP || Passkeys.length > 0 ? <>
      <Facts rows={[
        ...TOTP ? [['Codes', <Badge state="good">asked for</Badge>], ['Since', <Time at={Created} full />]] as const : [['Codes', 'of no program; a passkey is asked for']] as const,
        ['Recovery codes', RecoveryCodesLeft === 0 ? <Badge state="bad">none left</Badge> : RecoveryCodesLeft < 3 ? <Badge state="warn">{RecoveryCodesLeft} left</Badge> : `${RecoveryCodesLeft} left`],
      ]} />
      <div class="row">
        <Button icon="refresh" onPress={() => setAsking('renew')}>New recovery codes</Button>
        {TOTP ? <Button tone="danger" onPress={() => setAsking('disable')}>Ask for codes no more</Button>
          : <Button icon="shield" onPress={() => attempt(async () => setOffer(await begin()))}>Set up</Button>}
      </div>
    </> : <div class="row"><Button icon="shield" onPress={() => attempt(async () => setOffer(await begin()))}>Set up</Button></div>}</Loaded>
    {offer && <Enrol offer={offer} enable={async (secret, code) => enable(secret, code, await proof(passkeys, known, ''))} onClose={() => setOffer(null)} done={show} />}
    {asking === 'disable' && <AskCode title="Ask for codes no more?" text={known.length > 0 ? 'From then on a passkey is asked for.' : 'From then on the password alone is enough.'} passkeys={known.length > 0} action="Ask for codes no more" destroys onClose={() => setAsking('')}
      run={async code => {
        await disable(code, await proof(passkeys, known, code))
        setAsking('')
        await state.reload()
      }} />}
    {asking === 'renew' && <AskCode title="New recovery codes" text="Those you have do not work any more then." passkeys={known.length > 0} action="Make new ones" onClose={() => setAsking('')}
      run={async code => show(await renew(code, await proof(passkeys, known, code)))} />}
    {codes && <RecoveryCodes codes={codes} onClose={() => setCodes(null)} />}
  </Card>
  <PasskeysCard state={state} functions={passkeys} suggested={browserName(navigator.userAgent)} done={made => { if (made.length > 0) setCodes(made) }} />
  </>
}

function Enrol({ offer, enable, onClose, done }: { offer: Offer, enable: FactorProps['enable'], onClose: () => void, done: (codes: string[]) => void }) {
  const form = useForm({ Code: '' }, {
    success: '',
    check: values => /^\s*\d[\d\s]{4,10}\s*$/.test(values.Code) ? {} : { Code: 'The six digits that the program shows' },
    save: async values => done(await enable(offer.Secret, values.Code.replace(/\s/g, ''))),
  })
  return <Dialog title="Set up the second factor" onClose={onClose}>
    <div class="enrol">
      <img class="qrcode" src={offer.QRCode} alt="The secret as a QR code; below it stands as text" />
      <div>
        <p>Scan this with an authenticator program, or type the secret:</p>
        <span class="copyable"><code>{offer.Secret.replace(/(.{4})/g, '$1 ').trim()}</code><CopyButton text={offer.Secret} what="the secret" /></span>
        <p class="muted">Then give the code it shows, so that we know it works.</p>
      </div>
    </div>
    <Form model={form} bar={false}>
      <TextField label="Code" bind={form.field('Code')} autocomplete="one-time-code" autofocus />
      <Actions><Button onPress={onClose}>Cancel</Button><Button type="submit" tone="primary" busy={form.busy.value}>Ask for codes from now on</Button></Actions>
    </Form>
  </Dialog>
}

function AskCode({ title, text, passkeys, action, destroys, run, onClose }: { title: string, text: string, passkeys: boolean, action: string, destroys?: boolean, run: (code: string) => Promise<void>, onClose: () => void }) {
  const form = useForm({ Code: '' }, { success: '', save: values => run(values.Code.trim()) })
  return <Dialog title={title} onClose={onClose}>
    <Form model={form} bar={false}>
      <p>{text}</p>
      <TextField label="Code" bind={form.field('Code')} autocomplete="one-time-code" autofocus help={`Of the authenticator, or a recovery code.${passkeys ? ' Left empty: one of your passkeys is asked for.' : ''}`} />
      <Actions><Button onPress={onClose}>Cancel</Button><Button type="submit" tone={destroys ? 'destroy' : 'primary'} busy={form.busy.value}>{action}</Button></Actions>
    </Form>
  </Dialog>
}

function RecoveryCodes({ codes, onClose }: { codes: readonly string[], onClose: () => void }) {
  return <Dialog title="Recovery codes" onClose={onClose} firm>
    <Notice state="warn">Keep them in a safe place. Each lets you in once when the authenticator or passkey is lost. They are not shown again.</Notice>
    <ul class="codes">{codes.map(code => <li key={code}>{code}</li>)}</ul>
    <Actions>
      <CopyButton text={codes.join('\n')} label="Copy all" what="all codes" />
      <Button tone="primary" onPress={onClose}>I have them</Button>
    </Actions>
  </Dialog>
}

interface SessionsProps {
  load: () => Promise<readonly Session[]>
  remove: (id: string) => Promise<void>
  /** Logs out all but this one. */
  removeOthers?: () => Promise<void>
}

export function SessionsCard({ load, remove, removeOthers }: SessionsProps) {
  const rows = useResource(load), hasOthers = rows.data.value?.some(one => !one.IsCurrent) ?? false
  const endOthers = async () => {
    if (removeOthers && await confirm({ title: 'Log out all other browsers?', action: 'Log out others', consequences: ['They have to log in again. If one is not yours, set a new password as well.'] }) &&
      await attempt(removeOthers, 'All others are logged out')) await rows.reload()
  }
  return <Card title="Browsers that are logged in" flush actions={removeOthers && hasOthers && <Button icon="exit" onPress={endOthers}>Log out all others</Button>}>
    <Loaded of={rows}>{rows_ => <Table caption="sessions" rows={rows_} id={one => one.ID} columns={[
      { id: 'program', title: 'Browser', cell: one => <>{browserName(one.UserAgent)} {one.IsCurrent && <Badge state="accent">this one</Badge>}</> },
      { id: 'application', title: 'Pages', cell: one => one.Application, sort: one => one.Application },
      { id: 'ip', title: 'From', cell: one => <span class="mono nowrap">{one.RemoteIP}</span>, sort: one => one.RemoteIP },
      { id: 'used', title: 'Last used', cell: one => <Time at={one.LastUsed} />, sort: one => Date.parse(one.LastUsed) },
      { id: 'created', title: 'Logged in', cell: one => <Time at={one.Created} />, sort: one => Date.parse(one.Created) },
    ]} actions={one => !one.IsCurrent && <Button small onPress={async () => {
      if (await attempt(() => remove(one.ID), 'Logged out there')) await rows.reload()
    }}>Log out</Button>} />}</Loaded>
  </Card>
}

/** What people call the browser of a User-Agent field: `Firefox on Linux`. */
export function browserName(agent: string): string {
  const browser = [['Edg/', 'Edge'], ['OPR/', 'Opera'], ['Firefox/', 'Firefox'], ['Chrome/', 'Chrome'], ['Safari/', 'Safari']].find(([mark]) => agent.includes(mark ?? ''))?.[1]
  const system = [['Android', 'Android'], ['iPhone', 'iPhone'], ['iPad', 'iPad'], ['Windows', 'Windows'], ['Mac OS X', 'macOS'], ['CrOS', 'ChromeOS'], ['Linux', 'Linux']].find(([mark]) => agent.includes(mark ?? ''))?.[1]
  if (!browser) return agent.slice(0, 60) || 'unknown'
  return system ? `${browser} on ${system}` : browser
}

interface TokensProps {
  load: () => Promise<readonly APIToken[]>
  /** `lifetime`: nanoseconds, null: for ever. */
  add: (label: string, scopes: string[], lifetime: number | null) => Promise<{ Token: string }>
  remove: (id: string) => Promise<void>
}

const LIFETIMES = [['30', '30 days'], ['90', '90 days'], ['365', 'a year'], ['', 'for ever']] as const

export function TokensCard({ load, add, remove }: TokensProps) {
  const rows = useResource(load), [adding, setAdding] = useState(false), [made, setMade] = useState('')
  const form = useForm({ Label: '', Change: false, Days: '90' as (typeof LIFETIMES)[number][0] }, {
    success: '',
    check: values => values.Label.trim() === '' ? { Label: 'What is it for?' } : {},
    save: async values => setMade((await add(values.Label.trim(), values.Change ? ['read', 'change'] : ['read'], values.Days === '' ? null : Number(values.Days) * 86400e9)).Token),
    done: () => {
      setAdding(false)
      form.reset({ Label: '', Change: false, Days: '90' })
      void rows.reload()
    },
  })
  const take = async (one: APIToken) => {
    if (await confirm({ title: `Take back the token ${one.Label}?`, action: 'Take back', consequences: ['Whatever uses it is refused from now on.'] }) &&
      await attempt(() => remove(one.ID), 'Token taken back')) await rows.reload()
  }
  return <Card title="Tokens for scripts" about="Sent as Authorization: Bearer …, they call the functions of these pages." flush actions={<Button icon="plus" onPress={() => setAdding(true)}>Add token</Button>}>
    <Loaded of={rows}>{rows_ => rows_.length === 0 ? <Empty icon="key">None.</Empty> : <Table caption="tokens" rows={rows_} id={one => one.ID} columns={[
      { id: 'label', title: 'For', cell: one => one.Label, sort: one => one.Label },
      { id: 'scopes', title: 'May', cell: one => <span class="row">{one.Scopes.map(scope => <Badge key={scope} state={scope === 'change' ? 'warn' : 'plain'}>{scope}</Badge>)}</span> },
      { id: 'expires', title: 'Until', cell: one => one.Expires && Date.parse(one.Expires) < Date.now() ? <Badge>over</Badge> : <Time at={one.Expires} none="for ever" />, sort: one => one.Expires ? Date.parse(one.Expires) : Infinity },
      { id: 'used', title: 'Last used', cell: one => <Time at={one.LastUsed} none="never" />, sort: one => Date.parse(one.LastUsed ?? '') || 0 },
      { id: 'created', title: 'Made', cell: one => <Time at={one.Created} />, sort: one => Date.parse(one.Created) },
    ]} actions={one => <Button tone="quiet" small square icon="trash" onPress={() => take(one)}>Take back</Button>} />}</Loaded>
    {adding && <Dialog title="Add a token" onClose={() => setAdding(false)}>
      <Form model={form} bar={false}>
        <TextField label="For" bind={form.field('Label')} placeholder="backup script" autofocus />
        <Checkbox label="May change things" bind={form.field('Change')} help="Otherwise it reads only. Passwords, second factors and tokens are never open to it." />
        <Select label="Lasts" bind={form.field('Days')} choices={LIFETIMES.map(([value, label]) => ({ value, label }))} />
        <Actions><Button onPress={() => setAdding(false)}>Cancel</Button><Button type="submit" tone="primary" busy={form.busy.value}>Make token</Button></Actions>
      </Form>
    </Dialog>}
    {made && <Dialog title="The token" onClose={() => setMade('')} firm>
      <Notice state="warn">It is shown here and never again.</Notice>
      <span class="copyable"><code>{made}</code><CopyButton text={made} what="the token" /></span>
      <Actions><Button tone="primary" onPress={() => setMade('')}>I have it</Button></Actions>
    </Dialog>}
  </Card>
}

