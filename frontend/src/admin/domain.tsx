// One domain: its records in the DNS, the check of them, addresses, aliases, keys, policies and settings.

import { useState } from 'preact/hooks'
import * as api from '../api/admin'
import {
  Actions, Address, Badge, Button, Card, Checkbox, CodeBlock, CopyButton, Dialog, Empty, Facts, Fields, Form, ListField, Loaded, Menu, Notice,
  Page, Select, Spinner, Table, Tabs, TextField, attempt, confirm, toast, useForm, DurationField, type State,
} from '../kit'
import { plural, writeDuration } from '../lib/format'
import { useResource } from '../lib/resource'
import { go, href } from '../lib/router'
import { accountNames, accounts, domains, need } from './model'
import { AccountLink, RoutesEditor } from './parts'
import './domain.css'

interface PartProps {
  domain: string
  config: api.DomainConfig
  changed: () => Promise<void>
}

export function DomainPage({ domain, tab }: { domain: string, tab: string | undefined }) {
  const config = useResource(() => api.DomainConfig(domain), [domain])
  need(accounts)
  const changed = () => config.reload()
  const value = config.data.value
  const remove = async () => {
    const yes = await confirm({
      title: `Remove ${domain}?`, action: 'Remove domain', type: domain,
      consequences: [
        'Mail to its addresses is refused from now on.', 'Its aliases and the addresses that accounts have in it go with it.',
        'Mail that has arrived stays where it is.', 'Its DKIM keys are no longer used. Remove its records from the DNS.',
      ],
    })
    if (yes && await attempt(() => api.DomainRemove(domain), 'Domain removed. Its records in the DNS can go, too.')) {
      void domains.reload()
      go(['domains'])
    }
  }
  const setDisabled = async (disabled: boolean) => {
    const yes = !disabled || await confirm({
      title: `Disable ${domain}?`, action: 'Disable domain', harmless: true,
      consequences: ['Other servers are told to try again later.', 'Nobody can send from its addresses, logins still work.', 'No certificates are asked for.'],
    })
    if (yes && await attempt(() => api.DomainDisabledSave(domain, disabled), disabled ? 'Domain disabled' : 'Domain enabled')) {
      void domains.reload()
      await changed()
    }
  }
  return <Page title={domain} above={[['Domains', href(['domains'])]]} about={value?.Description}
    badge={value?.Disabled && <Badge state="warn">disabled</Badge>}
    actions={value && <Menu label="More" icon="more" items={[
      value.Disabled ? { text: 'Enable domain', icon: 'play', run: () => setDisabled(false) } : { text: 'Disable domain', icon: 'pause', run: () => setDisabled(true) },
      { text: 'Reports about it', icon: 'chart', run: () => go(['reports', 'dmarc', domain]) },
      null,
      { text: 'Remove domain', icon: 'trash', danger: true, run: remove },
    ]} />}>
    <Loaded of={config}>{config => {
      const part = { domain, config, changed }
      return <Tabs label={`Parts of ${domain}`} current={tab} onChange={id => go(['domains', domain, id])} tabs={[
        { id: 'addresses', title: 'Addresses', view: () => <Addresses {...part} /> },
        { id: 'dns', title: 'DNS records', view: () => <Records domain={domain} /> },
        { id: 'check', title: 'DNS check', view: () => <Check domain={domain} /> },
        { id: 'clients', title: 'Mail programs', view: () => <Clients domain={domain} /> },
        { id: 'dkim', title: 'DKIM', view: () => <Keys {...part} /> },
        { id: 'mtasts', title: 'MTA-STS', view: () => <MTASTS {...part} /> },
        { id: 'settings', title: 'Settings', view: () => <Settings {...part} /> },
        { id: 'routes', title: 'Routes', view: () => <RoutesEditor routes={config.Routes} about="For mail from this domain: after the routes of the account, before the global ones."
          onSave={async routes => {
            await api.DomainRoutesSave(domain, routes)
            await changed()
          }} /> },
      ]} />
    }}</Loaded>
  </Page>
}

// Addresses and aliases.

function Addresses({ domain, config, changed }: PartProps) {
  const localparts = useResource(() => api.DomainLocalparts(domain), [domain])
  const [adding, setAdding] = useState<'' | 'address' | 'alias'>('')
  const again = async () => { await Promise.all([localparts.reload(), changed()]) }
  return <>
    <Card title="Addresses" about="Each belongs to an account." flush actions={<Button icon="plus" onPress={() => setAdding('address')}>Add address</Button>}>
      <Loaded of={localparts}>{({ Accounts }) => <Table caption="addresses" rows={Object.entries(Accounts).map(([localpart, account]) => ({ localpart, account }))}
        id={one => one.localpart} sortedBy="address" empty="No account has an address here."
        columns={[
          { id: 'address', title: 'Address', cell: one => one.localpart === '' ? <>@{domain} <Badge>catch-all</Badge></> : <Address value={`${one.localpart}@${domain}`} />, sort: one => one.localpart, search: one => one.localpart },
          { id: 'account', title: 'Account', cell: one => <AccountLink name={one.account} />, sort: one => one.account, search: one => one.account },
        ]} actions={one => <Button tone="quiet" small square icon="trash" onPress={async () => {
          if (await removeAddress(`${one.localpart}@${domain}`, one.account, config)) await again()
        }}>Remove address</Button>} />}</Loaded>
    </Card>
    <Card title="Aliases" about="Addresses that lead to several others." flush actions={<Button icon="plus" onPress={() => setAdding('alias')}>Add alias</Button>}>
      <Table caption="aliases" rows={Object.entries(config.Aliases).map(([localpart, alias]) => ({ localpart, alias }))} id={one => one.localpart} sortedBy="alias"
        href={one => href(['aliases', domain, one.localpart])} empty="No aliases yet."
        columns={[
          { id: 'alias', title: 'Alias', cell: one => <Address value={`${one.localpart}@${domain}`} />, sort: one => one.localpart, search: one => one.localpart },
          { id: 'members', title: 'Members', cell: one => one.alias.Addresses.length, sort: one => one.alias.Addresses.length, end: true },
          { id: 'post', title: 'Who may write', cell: one => one.alias.PostPublic ? 'anybody' : 'members' },
        ]} />
    </Card>
    {adding === 'address' && <AddAddress domain={domain} onClose={() => setAdding('')} done={again} />}
    {adding === 'alias' && <AddAlias domain={domain} onClose={() => setAdding('')} done={again} />}
  </>
}

export async function removeAddress(address: string, account: string, config?: api.DomainConfig): Promise<boolean> {
  const memberOf = Object.entries(config?.Aliases ?? {}).filter(([, alias]) => alias.Addresses.includes(address)).map(([localpart]) => localpart)
  const yes = await confirm({
    title: `Remove ${address}?`, action: 'Remove address',
    consequences: [
      `Mail to it is refused from now on, unless it is caught otherwise. Mail that has arrived stays in ${account}.`,
      ...memberOf.length ? [`It is a member of ${memberOf.join(', ')}, and leaves.`] : [],
      'Nobody can log in with it any more.',
    ],
  })
  return yes && attempt(() => api.AddressRemove(address), 'Address removed')
}

function AddAddress({ domain, onClose, done }: { domain: string, onClose: () => void, done: () => Promise<void> }) {
  const form = useForm({ Localpart: '', Account: accountNames()[0] ?? '' }, {
    success: 'Address added',
    save: values => api.AddressAdd(`${values.Localpart.trim()}@${domain}`, values.Account),
    done: () => {
      void done()
      onClose()
    },
  })
  return <Dialog title="Add address" onClose={onClose}>
    <Form model={form} bar={false}>
      <TextField label="Localpart" bind={form.field('Localpart')} suffix={`@${domain}`} help="Empty: all other addresses of the domain." autofocus />
      <Select label="Account" bind={form.field('Account')} choices={accountNames().map(value => ({ value, label: value }))} />
      <Actions><Button onPress={onClose}>Cancel</Button><Button type="submit" tone="primary" busy={form.busy.value}>Add address</Button></Actions>
    </Form>
  </Dialog>
}

function AddAlias({ domain, onClose, done }: { domain: string, onClose: () => void, done: () => Promise<void> }) {
  const form = useForm({ Localpart: '', Addresses: [] as string[], Forward: [] as string[], PostPublic: false, ListMembers: false, AllowMsgFrom: false }, {
    success: 'Alias added',
    check: values => ({
      ...values.Localpart.trim() === '' ? { Localpart: 'Which name?' } : {},
      ...values.Addresses.length === 0 ? { Addresses: 'At least one member' } : {},
    }),
    save: ({ Localpart, ...alias }) => api.AliasAdd(Localpart.trim(), domain, alias),
    done: () => {
      void done()
      onClose()
    },
  })
  return <Dialog title="Add alias" onClose={onClose}>
    <Form model={form} bar={false}>
      <TextField label="Localpart" bind={form.field('Localpart')} suffix={`@${domain}`} autofocus />
      <ListField label="Members" bind={form.field('Addresses')} rows={4} mono help="Addresses of accounts here, one a line." />
      <ListField label="Forward to" bind={form.field('Forward')} rows={2} mono help="Addresses of other servers that get a copy, one a line." />
      <Checkbox label="Anybody may write to it" bind={form.field('PostPublic')} help="Otherwise only members." />
      <Checkbox label="Members see each other" bind={form.field('ListMembers')} />
      <Checkbox label="Members may send from it" bind={form.field('AllowMsgFrom')} />
      <Actions><Button onPress={onClose}>Cancel</Button><Button type="submit" tone="primary" busy={form.busy.value}>Add alias</Button></Actions>
    </Form>
  </Dialog>
}

// Records.

const STATES: Record<api.DNSRecord['State'], readonly [State, string]> = {
  ok: ['good', 'in place'], missing: ['bad', 'missing'], different: ['warn', 'different'], error: ['bad', 'lookup failed'], unknown: ['plain', 'not looked up'],
}

export function zoneLine(one: api.DNSRecord): string {
  // Without the dot, a zone file would put the zone's own name behind it (RFC 1035 §5.1).
  return `${`${one.Name}.`.padEnd(40)} ${one.TTL} IN ${one.Type.padEnd(5)} ${one.Value}`
}

function Records({ domain }: { domain: string }) {
  const records = useResource(() => api.DomainRecords(domain, false), [domain])
  const [looked, setLooked] = useState(false)
  const look = async () => {
    await attempt(async () => {
      records.set(await api.DomainRecords(domain, true))
      setLooked(true)
    })
  }
  return <Loaded of={records}>{rows => {
    const zone = rows.map(one => `${one.Comment ? `; ${one.Comment}\n` : ''}${zoneLine(one)}`).join('\n')
    const bad = rows.filter(one => one.State !== 'ok' && one.State !== 'unknown' && !one.Optional).length
    return <>
      {looked && (bad === 0 ? <Notice state="good">Everything that is needed is in place.</Notice>
        : <Notice state="warn">{plural(bad, 'record is', 'records are')} not as wanted. Changes take until the old record's time to live is over to be seen everywhere.</Notice>)}
      <Card title="Records to publish" about="At whoever runs the DNS of the domain." flush actions={<>
        <CopyButton text={zone} label="Copy all as zone file" what="all records" />
        <Button tone="primary" icon="refresh" onPress={look}>Look up</Button>
      </>}>
        <Table caption="records" rows={rows} id={one => `${one.Name} ${one.Type} ${one.Value}`} columns={[
          { id: 'name', title: 'Name', wide: true, cell: one => <><span class="mono wrap">{one.Name}</span>{one.Comment && <p class="muted small">{one.Comment}</p>}</>, sort: one => one.Name },
          { id: 'type', title: 'Type', cell: one => <span class="mono">{one.Type}</span>, sort: one => one.Type, fit: true },
          { id: 'value', title: 'Value', wide: true, cell: one => <div class="record">
            <code>{one.Value}</code><CopyButton text={one.Value} what={`the value of ${one.Name}`} />
            {one.State === 'different' && one.Found.map(found => <p key={found} class="small muted">Found: <code>{found}</code></p>)}
          </div> },
          { id: 'state', title: 'State', cell: one => <span class="row"><Badge state={one.Optional && one.State === 'missing' ? 'plain' : STATES[one.State][0]}>{STATES[one.State][1]}</Badge>
            {one.Optional && <Badge>optional</Badge>}</span>, sort: one => one.State, fit: true },
        ]} />
      </Card>
    </>
  }}</Loaded>
}

// The check.

function Check({ domain }: { domain: string }) {
  const [result, setResult] = useState<api.DomainCheck | null>(null), [running, setRunning] = useState(false)
  const run = async () => {
    setRunning(true)
    await attempt(async () => { setResult(await api.CheckDomain(domain)) })
    setRunning(false)
  }
  if (!result) return <Card><Empty icon="dns">
    {running ? <><Spinner />Looking at everything, for half a minute at most…</> : <>
      What the world sees of {domain}: DNSSEC, reverse names, MX, TLS, DANE, SPF, DKIM, DMARC, reports, MTA-STS, and what mail programs look for.
      <Button tone="primary" icon="play" onPress={run}>Check now</Button></>}
  </Empty></Card>
  const errors = result.Sections.reduce((sum, one) => sum + one.Errors.length, 0)
  const warnings = result.Sections.reduce((sum, one) => sum + one.Warnings.length, 0)
  return <>
    <div class="row between">
      <span class="row">
        <Badge state={errors ? 'bad' : 'good'}>{errors ? plural(errors, 'error') : 'no errors'}</Badge>
        {warnings > 0 && <Badge state="warn">{plural(warnings, 'warning')}</Badge>}
      </span>
      <Button icon="refresh" busy={running} onPress={run}>Check again</Button>
    </div>
    {result.Sections.map(one => <CheckCard key={one.Name} section={one} />)}
  </>
}

function CheckCard({ section }: { section: api.CheckSection }) {
  const state = section.Errors.length ? 'bad' : section.Warnings.length ? 'warn' : 'good'
  const more = section.Details.length + section.Instructions.length
  return <details class="card check-card" open={state !== 'good'}>
    <summary><Badge state={state}>{state === 'good' ? 'OK' : state === 'warn' ? plural(section.Warnings.length, 'warning') : plural(section.Errors.length, 'error')}</Badge><h2>{section.Name}</h2></summary>
    <div class="inside">
      {section.Errors.map(text => <Notice key={text} state="bad">{text}</Notice>)}
      {section.Warnings.map(text => <Notice key={text} state="warn">{text}</Notice>)}
      {section.Details.length > 0 && <ul class="muted">{section.Details.map(text => <li key={text}>{text}</li>)}</ul>}
      {section.Instructions.map(text => <CodeBlock key={text} text={text} breaks />)}
      {more === 0 && state === 'good' && <p class="muted">Nothing to say.</p>}
    </div>
  </details>
}

function Clients({ domain }: { domain: string }) {
  const rows = useResource(() => api.ClientConfigsDomain(domain), [domain])
  return <Card title="Settings of mail programs" about="Most find them by themselves, if the records are in the DNS. The user name is the address." flush>
    <Loaded of={rows}>{rows => <Table caption="settings" rows={rows} id={one => `${one.Protocol} ${one.Host} ${one.Port} ${one.Listener}`} columns={[
      { id: 'protocol', title: 'Protocol', cell: one => one.Protocol },
      { id: 'host', title: 'Host', cell: one => <span class="copyable"><span class="mono">{one.Host}</span><CopyButton text={one.Host} what="the host" /></span> },
      { id: 'port', title: 'Port', cell: one => one.Port, end: true },
      { id: 'listener', title: 'Listener', cell: one => one.Listener },
      { id: 'note', title: 'Note', cell: one => one.Note, blank: one => one.Note === '' },
    ]} />}</Loaded>
  </Card>
}

// DKIM.

function Keys({ domain, config, changed }: PartProps) {
  const keys = useResource(() => api.DomainDKIMKeys(domain), [domain])
  const [adding, setAdding] = useState(false), [edited, setEdited] = useState('')
  const again = async () => { await Promise.all([keys.reload(), changed()]) }
  const known = (selector: string) => keys.data.value?.find(one => one.Selector === selector)
  const sign = async (selector: string, on: boolean) => {
    const next = on ? [...config.DKIM.Sign, selector] : config.DKIM.Sign.filter(one => one !== selector)
    if (!on && next.length === 0 && !await confirm({
      title: 'Sign with no key?', action: 'Do not sign', consequences: ['Mail from this domain is sent unsigned. Many servers distrust or refuse that.'],
    })) return
    if (await attempt(() => api.DomainDKIMSave(domain, config.DKIM.Selectors, next), on ? 'Signs from now on' : 'Does not sign any more')) await changed()
  }
  const remove = async (selector: string) => {
    const yes = await confirm({
      title: `Remove the key ${selector}?`, action: 'Remove key', type: selector,
      consequences: [
        'Signatures by it on mail that is still under way are verified as long as the record stays in the DNS: leave it for some days.',
        ...config.DKIM.Sign.includes(selector) ? ['It signs now. Mail is signed by the other keys only.'] : [],
      ],
    })
    if (yes && await attempt(() => api.DomainDKIMRemove(domain, selector), `Key removed. Remove ${selector}._domainkey.${domain} from the DNS later.`)) await again()
  }
  const selected = config.DKIM.Selectors[edited]
  return <Card title="Keys" about="Outgoing mail is signed with each that is switched on." flush actions={<Button icon="plus" onPress={() => setAdding(true)}>Add key</Button>}>
    <Table caption="keys" rows={Object.entries(config.DKIM.Selectors).map(([name, selector]) => ({ name, selector }))} id={one => one.name} onOpen={one => setEdited(one.name)}
      empty="No keys: mail is sent unsigned." columns={[
        { id: 'name', title: 'Selector', cell: one => one.name, sort: one => one.name },
        { id: 'key', title: 'Key', cell: one => {
          const key = known(one.name)
          return key ? `${key.Algorithm}${key.Bits ? ` ${key.Bits}` : ''}` : '–'
        } },
        { id: 'hash', title: 'Hash', cell: one => one.selector.Hash },
        { id: 'canonical', title: 'Canonicalisation', cell: one => `${one.selector.Canonicalization.HeaderRelaxed ? 'relaxed' : 'simple'}/${one.selector.Canonicalization.BodyRelaxed ? 'relaxed' : 'simple'}` },
        { id: 'life', title: 'Lifetime', cell: one => one.selector.Expiration ? writeDuration(one.selector.Expiration) : 'for ever' },
        { id: 'sign', title: 'Signs', cell: one => <label class="row"><input type="checkbox" checked={config.DKIM.Sign.includes(one.name)}
          onChange={event => sign(one.name, event.currentTarget.checked)} /><span class="hidden">{one.name} signs</span></label>, fit: true },
      ]} actions={one => <>
        {known(one.name)?.Record && <CopyButton text={known(one.name)?.Record ?? ''} what="its record" />}
        <Button tone="quiet" small square icon="trash" onPress={() => remove(one.name)}>Remove key</Button>
      </>} />
    {adding && <AddKey domain={domain} onClose={() => setAdding(false)} done={again} />}
    {selected && <EditKey domain={domain} name={edited} selector={selected} config={config} onClose={() => setEdited('')} done={again} />}
  </Card>
}

function AddKey({ domain, onClose, done }: { domain: string, onClose: () => void, done: () => Promise<void> }) {
  const form = useForm({ Selector: `moxpy${new Date().getFullYear()}`, Algorithm: 'rsa' as 'rsa' | 'ed25519', HeaderRelaxed: true, BodyRelaxed: true, Seal: true, Headers: [] as string[], Lifetime: 3 * 86400e9 }, {
    success: '',
    check: values => /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/i.test(values.Selector) ? {} : { Selector: 'Letters, digits, dots and hyphens' },
    save: values => api.DomainDKIMAdd(domain, values.Selector, values.Algorithm, 'sha256', values.HeaderRelaxed, values.BodyRelaxed, values.Seal, values.Headers, values.Lifetime),
    done: () => {
      void done()
      onClose()
      toast('Key added. Publish its record, and let it sign once that is seen everywhere.')
    },
  })
  return <Dialog title="Add a key" onClose={onClose}>
    <Form model={form} bar={false}>
      <Fields>
        <TextField label="Selector" bind={form.field('Selector')} help={`Its record is ${form.values.value.Selector || '…'}._domainkey.${domain}`} autofocus />
        <Select label="Algorithm" bind={form.field('Algorithm')} choices={[{ value: 'rsa', label: 'RSA, 2048 bits' }, { value: 'ed25519', label: 'Ed25519' }]} help="Not everybody can verify Ed25519: have an RSA key beside it." />
      </Fields>
      <Checkbox label="Tolerate changes of white space in the header" bind={form.field('HeaderRelaxed')} />
      <Checkbox label="Tolerate changes of white space in the body" bind={form.field('BodyRelaxed')} />
      <Checkbox label="Seal the header" bind={form.field('Seal')} help="Nobody can add a second field of a signed name." />
      <DurationField label="Lifetime of a signature" bind={form.field('Lifetime')} placeholder="for ever" />
      <ListField label="Header fields" bind={form.field('Headers')} placeholder="the usual ones" help="One a line; empty for the usual ones." />
      <Actions><Button onPress={onClose}>Cancel</Button><Button type="submit" tone="primary" busy={form.busy.value}>Add key</Button></Actions>
    </Form>
  </Dialog>
}

function EditKey({ domain, name, selector, config, onClose, done }: { domain: string, name: string, selector: api.Selector, config: api.DomainConfig, onClose: () => void, done: () => Promise<void> }) {
  const form = useForm({
    HeaderRelaxed: selector.Canonicalization.HeaderRelaxed, BodyRelaxed: selector.Canonicalization.BodyRelaxed, Seal: !selector.DontSealHeaders,
    Headers: selector.Headers, Lifetime: selector.Expiration ?? 0,
  }, {
    save: values => api.DomainDKIMSave(domain, {
      ...config.DKIM.Selectors,
      [name]: {
        ...selector, Canonicalization: { HeaderRelaxed: values.HeaderRelaxed, BodyRelaxed: values.BodyRelaxed }, DontSealHeaders: !values.Seal,
        Headers: values.Headers, Expiration: values.Lifetime || null,
      },
    }, config.DKIM.Sign),
    done: () => {
      void done()
      onClose()
    },
  })
  return <Dialog title={`Key ${name}`} onClose={onClose}>
    <Form model={form} bar={false}>
      <Checkbox label="Tolerate changes of white space in the header" bind={form.field('HeaderRelaxed')} />
      <Checkbox label="Tolerate changes of white space in the body" bind={form.field('BodyRelaxed')} />
      <Checkbox label="Seal the header" bind={form.field('Seal')} />
      <DurationField label="Lifetime of a signature" bind={form.field('Lifetime')} placeholder="for ever" />
      <ListField label="Header fields" bind={form.field('Headers')} placeholder="the usual ones" />
      <Facts rows={[['Private key', <code>{selector.PrivateKeyFile}</code>]]} />
      <Actions><Button onPress={onClose}>Cancel</Button><Button type="submit" tone="primary" busy={form.busy.value}>Save</Button></Actions>
    </Form>
  </Dialog>
}

// MTA-STS.

/** An id of the moment: letters and digits, as RFC 8461 §3.1 wants them. */
export function newPolicyID(now: Date = new Date()): string {
  return now.toISOString().replace(/\D/g, '').slice(0, 14)
}

function MTASTS({ domain, config, changed }: PartProps) {
  const now = config.MTASTS
  const form = useForm({ Enabled: now !== null, PolicyID: now?.PolicyID ?? newPolicyID(), Mode: now?.Mode ?? 'enforce' as const, MaxAge: now?.MaxAge ?? 86400e9, MX: now?.MX ?? [] as string[] }, {
    success: '',
    check: values => values.Enabled && !/^[A-Za-z0-9]{1,32}$/.test(values.PolicyID) ? { PolicyID: 'Up to 32 letters and digits' } : {},
    save: async values => {
      await (values.Enabled ? api.DomainMTASTSSave(domain, values.PolicyID, values.Mode, values.MaxAge, values.MX) : api.DomainMTASTSSave(domain, '', 'none', 0, []))
    },
    done: values => {
      void changed()
      toast(values.Enabled ? `Saved. Now publish _mta-sts.${domain} with id=${values.PolicyID}.` : `Saved. Remove _mta-sts.${domain} from the DNS.`)
    },
  })
  const { Enabled, PolicyID, Mode } = form.values.value
  const stale = now !== null && form.isDirty.value && PolicyID === now.PolicyID && Enabled
  return <Card title="MTA-STS" about="Tells other servers that mail comes here over verified TLS, or not at all."><Form model={form}>
    <Checkbox label="Publish a policy" bind={form.field('Enabled')} />
    {!Enabled && now && <Notice state="warn">Servers that know the policy keep it until its age is over. Publish mode “none” first, and remove it then.</Notice>}
    {Enabled && <>
      <Fields>
        <div class="field">
          <TextField label="Id" bind={form.field('PolicyID')} mono help="Others fetch the policy anew when this changes." />
          <Button small icon="refresh" onPress={() => form.field('PolicyID').set(newPolicyID())}>Make a new one</Button>
        </div>
        <Select label="Mode" bind={form.field('Mode')} choices={[{ value: 'enforce', label: 'Enforce: only verified TLS' }, { value: 'testing', label: 'Testing: only report' }, { value: 'none', label: 'None: no policy any more' }]} />
        <DurationField label="Age" bind={form.field('MaxAge')} help="How long others keep it. Weeks, once all works." />
      </Fields>
      <ListField label="Mail hosts" bind={form.field('MX')} mono placeholder="the host name of this server" help="One a line; *.example.org stands for any one name." />
      {stale && <Notice state="warn">Without a new id, others do not notice the change.</Notice>}
      {Mode === 'enforce' && <Notice>Order matters: the policy first, then the record in the DNS. New mail hosts are added to the policy before they stand in MX.</Notice>}
    </>}
  </Form></Card>
}

// Settings.

function Settings({ domain, config, changed }: PartProps) {
  const general = useForm({ Description: config.Description, ClientSettingsDomain: config.ClientSettingsDomain ?? '' }, {
    save: async values => {
      if (values.Description !== config.Description) await api.DomainDescriptionSave(domain, values.Description)
      if (values.ClientSettingsDomain !== (config.ClientSettingsDomain ?? '')) await api.DomainClientSettingsDomainSave(domain, values.ClientSettingsDomain.trim())
    },
    done: () => { void changed() },
  })
  const localparts = useForm({ Separators: config.LocalpartCatchallSeparators, CaseSensitive: config.LocalpartCaseSensitive }, {
    save: values => api.DomainLocalpartConfigSave(domain, values.Separators, values.CaseSensitive),
    done: () => { void changed() },
  })
  return <>
    <Card title="General"><Form model={general}>
      <TextField label="Description" bind={general.field('Description')} help="For you." />
      <TextField label="Host for mail programs" bind={general.field('ClientSettingsDomain')} placeholder={`mail.${domain}`}
        help="Shown to people instead of this server's name, so that a later move is easy. Needs a CNAME record." />
    </Form></Card>
    <Card title="Localparts"><Form model={localparts}>
      <ListField label="Catch-all separators" bind={localparts.field('Separators')} mono placeholder="+" rows={2}
        help="me+anything is delivered to me. One a line; the first is used for senders that are made for one message." />
      <Checkbox label="Upper and lower case differ" bind={localparts.field('CaseSensitive')} help="Rarely what people expect." />
    </Form></Card>
    <ReportAddressCard title="DMARC reports" about="Where other servers send what they saw of mail from this domain." domain={domain} now={config.DMARC} mailbox="DMARC"
      save={api.DomainDMARCAddressSave} changed={changed} record={`_dmarc.${domain}`} />
    <ReportAddressCard title="TLS reports" about="Where other servers send how TLS went when they delivered here." domain={domain} now={config.TLSRPT} mailbox="TLSRPT"
      save={api.DomainTLSRPTAddressSave} changed={changed} record={`_smtp._tls.${domain}`} />
  </>
}

function ReportAddressCard({ title, about, domain, now, mailbox, save, changed, record }: {
  title: string, about: string, domain: string, now: api.ReportAddress | null, mailbox: string, record: string, changed: () => Promise<void>
  save: (domain: string, localpart: string, addressDomain: string, account: string, mailbox: string) => Promise<void>
}) {
  const form = useForm({ Enabled: now !== null, Localpart: now?.Localpart ?? mailbox.toLowerCase() + '-reports', Domain: now?.Domain ?? '', Account: now?.Account ?? accountNames()[0] ?? '', Mailbox: now?.Mailbox ?? mailbox }, {
    success: '',
    save: values => save(domain, values.Enabled ? values.Localpart : '', values.Domain.trim(), values.Account, values.Mailbox),
    done: () => {
      void changed()
      toast(`Saved. Publish the changed record ${record}.`)
    },
  })
  return <Card title={title} about={about}><Form model={form}>
    <Checkbox label="Receive them" bind={form.field('Enabled')} />
    {form.values.value.Enabled && <Fields>
      <TextField label="Localpart" bind={form.field('Localpart')} />
      <TextField label="Domain" bind={form.field('Domain')} placeholder={domain} help="If it is another one, which must be ours, too." />
      <Select label="Account" bind={form.field('Account')} choices={accountNames().map(value => ({ value, label: value }))} />
      <TextField label="Mailbox" bind={form.field('Mailbox')} />
    </Fields>}
  </Form></Card>
}
