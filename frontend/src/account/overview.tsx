// The first page: addresses, space, who logged in, and what would make the account safer.

import { useEffect, useState } from 'preact/hooks'
import * as api from '../api/account'
import { Address, Badge, Button, Card, Dialog, Empty, Icon, LinkButton, Loaded, Page, Progress, Table, Tile, Tiles, type IconName } from '../kit'
import { count, percent, plural, size } from '../lib/format'
import { useResource } from '../lib/resource'
import { href } from '../lib/router'
import { account, addresses, aliases, factor, mailboxes } from './model'
import { LoginAttemptsTable, WithAccount } from './parts'

export function OverviewPage() {
  const logins = useResource(() => api.LoginAttempts(10)), sessions = useResource(() => api.Sessions())
  useEffect(() => { for (const one of [account, aliases, factor, mailboxes]) void one.reload() }, [])
  const boxes = mailboxes.data.value, info = account.data.value
  const messages = boxes?.reduce((sum, one) => sum + one.Messages, 0), unread = boxes?.find(one => one.Name === 'Inbox')?.Unread
  const open = sessions.data.value?.length
  return <Page title={info?.Config.FullName || info?.LoginAddress || 'Overview'} about={info && (info.Config.FullName ? `Logged in as ${info.LoginAddress}` : undefined)}
    actions={<LinkButton icon="screen" href={href(['clients'])}>Set up a mail program</LinkButton>}>
    <Tiles>
      <Tile what="Messages" icon="mail" figure={messages === undefined ? '–' : count(messages)} note={unread === undefined ? undefined : unread ? `${count(unread)} unread in Inbox` : 'nothing unread in Inbox'} />
      <Tile what="Storage" icon="dns" figure={info ? size(info.StorageUsed) : '–'} note={info && (info.StorageLimit ? `${percent(info.StorageUsed, info.StorageLimit)} of ${size(info.StorageLimit)}` : 'no limit')} />
      <Tile what="Addresses" icon="person" href={href(['addresses'])} figure={info ? count(addresses(info.Config).length) : '–'} note={aliases.data.value && (aliases.data.value.length ? `and ${plural(aliases.data.value.length, 'alias', 'aliases')}` : 'no aliases')} />
      <Tile what="Sessions" icon="globe" href={href(['sessions'])} figure={open === undefined ? '–' : count(open)} note="browsers logged in" />
    </Tiles>
    <div class="columns">
      <div class="stack">
        <Addresses />
        <Storage />
      </div>
      <Safety logins={logins.data.value ?? []} />
    </div>
    <Aliases />
    <Card title="Last logins" flush actions={<LinkButton small href={href(['logins'])}>All attempts</LinkButton>}>
      <Loaded of={logins}>{rows => <LoginAttemptsTable rows={rows} brief />}</Loaded>
    </Card>
  </Page>
}

/** Where mail to an address goes, in a word or two. */
export function about(destination: api.Destination): string {
  if (destination.SMTPError !== null) return 'refuses all mail'
  const rules = destination.Rulesets.length, forwards = destination.Forward.length
  return [
    destination.ForwardOnly && forwards ? '' : `to ${destination.Mailbox ?? 'Inbox'}`,
    rules ? plural(rules, 'rule') : '',
    forwards ? `forwarded to ${forwards === 1 ? destination.Forward[0] : plural(forwards, 'address', 'addresses')}` : '',
  ].filter(Boolean).join(', ')
}

function Addresses() {
  return <Card title="Addresses" flush>
    <WithAccount>{({ Config }) => {
      const all = addresses(Config)
      return all.length === 0 ? <Empty icon="mail">None: nobody can write to you.</Empty> : <ul class="addresses">{all.map(one => {
        const destination = Config.Destinations[one]
        return <li key={one}><a href={href(['addresses', one])}>
          <div><span class="strong"><Address value={one} /></span> {one.startsWith('@') && <Badge>catch-all</Badge>}
            {destination && <div class="muted small">{about(destination)}</div>}</div>
          <Icon name="right" size={16} />
        </a></li>
      })}</ul>
    }}</WithAccount>
  </Card>
}

function Storage() {
  const info = account.data.value, largest = [...mailboxes.data.value ?? []].sort((a, b) => b.Size - a.Size).filter(one => one.Size > 0).slice(0, 4)
  if (!info) return null
  const whole = info.StorageLimit || info.StorageUsed
  return <Card title="Storage">
    {info.StorageLimit > 0 && <Progress label="Storage in use" limits value={info.StorageUsed} whole={info.StorageLimit}>{`${size(info.StorageUsed)} of ${size(info.StorageLimit)}`}</Progress>}
    {largest.length === 0 ? <p class="muted">No messages yet.</p> : largest.map(one =>
      <Progress key={one.ID} label={`${one.Name} in use`} value={one.Size} whole={whole}><span class="row between"><span class="wrap">{one.Name}</span><span class="muted">{size(one.Size)}</span></span></Progress>)}
  </Card>
}

interface Advice { icon: IconName, tone: 'good' | 'warn' | 'muted', text: string, more?: string, link?: readonly [string, string] }

function Safety({ logins }: { logins: readonly api.LoginAttempt[] }) {
  const state = factor.data.value
  if (!state) return <Card title="Security" flush><Loaded of={factor}>{() => null}</Loaded></Card>
  // A login that waits for its code is one that was given up, and then another.
  const failed = logins.filter(one => !['ok', 'aborted'].includes(one.Result)).reduce((sum, one) => sum + one.Count, 0)
  const list: Advice[] = [
    state.TOTP || state.Passkeys.length > 0 ? { icon: 'check', tone: 'good', text: 'Two-step login is on' }
      : { icon: 'warning', tone: 'warn', text: 'Two-step login is off', more: 'A stolen password is enough to get in.', link: ['secondfactor', 'Set up'] },
  ]
  if ((state.TOTP || state.Passkeys.length > 0) && state.RecoveryCodesLeft < 4) list.push({ icon: 'warning', tone: 'warn', text: `${plural(state.RecoveryCodesLeft, 'recovery code')} left`, link: ['secondfactor', 'Make new ones'] })
  list.push(state.AppPasswordsOnly ? { icon: 'check', tone: 'good', text: 'Mail programs use passwords of their own' }
    : { icon: 'info', tone: 'muted', text: 'Mail programs may use the account’s password', link: ['apppasswords', 'App passwords'] })
  if (failed) list.push({ icon: 'info', tone: 'muted', text: `${plural(failed, 'failed login')} of late`, link: ['logins', 'Look'] })
  return <Card title="Security" flush><ul class="checklist">{list.map(one => <li key={one.text}>
    <span class={one.tone}><Icon name={one.icon} /></span>
    <div>{one.text}{one.more && <div class="muted small">{one.more}</div>}</div>
    {one.link && <LinkButton small href={href([one.link[0]])}>{one.link[1]}</LinkButton>}
  </li>)}</ul></Card>
}

function Aliases() {
  const [shown, setShown] = useState<api.AliasMembership | null>(null)
  const rows = aliases.data.value
  if (!rows || rows.length === 0) return null
  return <Card title="Aliases" about="Lists of addresses that have yours. The administrator keeps them." flush>
    <Table caption="aliases" rows={rows} id={one => one.Alias} columns={[
      { id: 'alias', title: 'Alias', cell: one => <Address value={one.Alias} />, sort: one => one.Alias },
      { id: 'as', title: 'Comes to', cell: one => <span class="wrap">{one.SubscriptionAddresses.join(', ')}</span> },
      { id: 'post', title: 'Who may write', cell: one => one.PostPublic ? 'anybody' : 'members' },
      { id: 'from', title: 'You may send from it', cell: one => one.AllowMsgFrom ? 'yes' : 'no' },
    ]} actions={one => one.Members && <Button small onPress={() => setShown(one)}>{plural(one.Members.length, 'member')}</Button>} />
    {shown && <Dialog title={`Members of ${shown.Alias}`} onClose={() => setShown(null)}>
      <ul>{(shown.Members ?? []).map(one => <li key={one}><Address value={one} /></li>)}</ul>
    </Dialog>}
  </Card>
}
