// What counts as junk: the filter over words, flags by mailbox, copies of refused mail, senders seen for the first time.

import * as api from '../api/account'
import { Card, Checkbox, Fields, Form, Notice, NumberField, Page, Tabs, TextField, useForm } from '../kit'
import { go, href } from '../lib/router'
import { account } from './model'
import { MailboxField, WithAccount } from './parts'

/** What the quickstart gives to new accounts. */
const USUAL: api.JunkFilter = { Threshold: 0.95, Onegrams: true, Twograms: false, Threegrams: false, MaxPower: 0.01, TopWords: 10, IgnoreWords: 0.1, RareWords: 2 }

const saved = () => { void account.reload() }

export function JunkPage({ tab }: { tab: string | undefined }) {
  return <Page title="Junk" about="How unwanted mail is told from the rest, and what becomes of it.">
    <WithAccount>{({ Config }) => <Tabs label="Parts" current={tab} onChange={id => go(['junk', id])} tabs={[
      { id: 'filter', title: 'Filter', view: () => <Filter filter={Config.JunkFilter} /> },
      { id: 'flags', title: 'Learning from moves', view: () => <Flags flags={Config.AutomaticJunkFlags} /> },
      { id: 'rejects', title: 'Refused mail', view: () => <Rejects config={Config} /> },
      { id: 'introbox', title: 'New senders', view: () => <Introbox mailbox={Config.Introbox} /> },
    ]} />}</WithAccount>
  </Page>
}

function Filter({ filter }: { filter: api.JunkFilter | null }) {
  const form = useForm({ on: filter !== null, ...(filter ?? USUAL) }, {
    check: values => values.on ? {
      ...(values.Threshold <= 0 || values.Threshold > 1 ? { Threshold: 'Above 0 and at most 1' } : {}),
      ...(!values.Onegrams && !values.Twograms && !values.Threegrams ? { Onegrams: 'Single words or pairs, at least' } : {}),
    } : {},
    save: ({ on, ...rest }) => api.JunkFilterSave(on ? rest : null),
    done: saved,
  })
  const { on, Threshold } = form.values.value
  return <Card title="Filter by content" about="It learns from the mail that you keep and the mail that you call junk."><Form model={form}>
    <Checkbox label="Use the filter" bind={form.field('on')} help="For senders without history here. Those you know are judged by what came from them before." />
    {on && <>
      <Fields>
        <NumberField label="Junk from" bind={form.field('Threshold')} min={0} decimal help={Threshold < 0.8 ? 'Low: expect to lose wanted mail.' : 'Probability between 0 and 1. Higher lets more through.'} />
        <NumberField label="Telling words" bind={form.field('TopWords')} min={0} help="How many of the most telling words count, of each side." />
        <NumberField label="Power of a word" bind={form.field('MaxPower')} min={0} decimal help="0.01 keeps a single word between 1% and 99%." />
        <NumberField label="Ignore words near the middle" bind={form.field('IgnoreWords')} min={0} decimal help="Words this near to 0.5 say nothing." />
        <NumberField label="Rare words" bind={form.field('RareWords')} min={0} help="Seen at most this often, they count less." />
      </Fields>
      <Checkbox label="Single words" bind={form.field('Onegrams')} />
      {form.field('Onegrams').error && <p class="bad small" role="alert">{form.field('Onegrams').error}</p>}
      <Checkbox label="Pairs of words" bind={form.field('Twograms')} help="More exact, and takes more space." />
      {filter?.Threegrams && <p class="muted small">The administrator has switched on three words in a row, too.</p>}
    </>}
  </Form></Card>
}

function Flags({ flags }: { flags: api.AutomaticJunkFlags }) {
  const form = useForm({ Enabled: flags.Enabled, Junk: flags.JunkMailboxRegexp ?? '', Neutral: flags.NeutralMailboxRegexp ?? '', NotJunk: flags.NotJunkMailboxRegexp ?? '' }, {
    save: values => api.AutomaticJunkFlagsSave({
      Enabled: values.Enabled, JunkMailboxRegexp: values.Junk.trim() || null, NeutralMailboxRegexp: values.Neutral.trim() || null, NotJunkMailboxRegexp: values.NotJunk.trim() || null,
    }),
    done: saved,
  })
  return <Card title="Learning from moves" about="Mail programs that have no buttons for junk can teach the filter by moving messages."><Form model={form}>
    <Checkbox label="Set junk flags by the mailbox a message is moved to" bind={form.field('Enabled')} />
    {form.values.value.Enabled && <>
      <TextField label="Junk" bind={form.field('Junk')} mono placeholder="^(junk|spam)" help="An expression for the lower-case names of mailboxes whose messages are junk." />
      <TextField label="Neither" bind={form.field('Neutral')} mono placeholder="^(inbox|neutral|postmaster|dmarc|tlsrpt|rejects)" help="Messages there say nothing." />
      <TextField label="Not junk" bind={form.field('NotJunk')} mono placeholder="" help="Messages there are wanted. With two of the three given, all other mailboxes are the third." />
    </>}
  </Form></Card>
}

function Rejects({ config }: { config: api.Account }) {
  const form = useForm({ Mailbox: config.RejectsMailbox ?? '', Keep: config.KeepRejects }, {
    save: values => api.RejectsSave(values.Mailbox.trim() || null, values.Keep),
    done: saved,
  })
  return <Card title="Refused mail" about="Senders of suspicious mail are told no. A copy shows what you would have missed."><Form model={form}>
    <MailboxField label="Mailbox for copies" bind={form.field('Mailbox')} placeholder="no copies" help="Usually Rejects. It does not count as received: move out what you want, and its sender is known from then on." />
    <Checkbox label="Keep copies for ever" bind={form.field('Keep')} help="Otherwise old ones are removed, and new ones when there are many." />
  </Form></Card>
}

function Introbox({ mailbox }: { mailbox: string | null }) {
  const form = useForm({ Mailbox: mailbox ?? '' }, { save: values => api.IntroboxSave(values.Mailbox.trim() || null), done: saved })
  return <Card title="New senders" about="Mail of people who never wrote to you before can wait in a mailbox of its own."><Form model={form}>
    <MailboxField label="Mailbox for new senders" bind={form.field('Mailbox')} placeholder="as all other mail" help="For mail that would go to Inbox. Once there is history with a sender, it does." />
    {form.values.value.Mailbox.trim() !== '' && <Notice>Rules and other mailboxes of an <a href={href(['addresses'])}>address</a> come first.</Notice>}
  </Form></Card>
}
