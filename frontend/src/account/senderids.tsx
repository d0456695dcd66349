// Unique sender addresses, and how long what was sent is remembered: both are for programs that send.

import * as api from '../api/account'
import { Card, DurationField, Fields, Form, Notice, Page, useForm } from '../kit'
import { account, loginAddresses } from './model'
import { WithAccount } from './parts'

const saved = () => { void account.reload() }

export function SenderIDsPage() {
  return <Page title="Sender ids" about="How bounces find back to the message they are about.">
    <WithAccount>{({ Config }) => <>
      <FromIDs config={Config} />
      <Periods config={Config} />
    </>}</WithAccount>
  </Page>
}

function FromIDs({ config }: { config: api.Account }) {
  const form = useForm({ addresses: config.FromIDLoginAddresses }, { save: values => api.FromIDLoginAddressesSave(values.addresses), done: saved })
  const bind = form.field('addresses'), all = [...new Set([...loginAddresses(config), ...bind.value])]
  return <Card title="Unique sender addresses" about="Messages sent after a login with one of these get a sender address of their own, like you+k3x9@example.org. A notice that comes back to it is known to be about that message.">
    <Form model={form}>
      <div class="stack tight" role="group" aria-label="Login addresses">{all.map(one => <div class="check" key={one}>
        <input type="checkbox" id={`fromid-${one}`} checked={bind.value.includes(one)} onChange={event => bind.set(event.currentTarget.checked ? [...bind.value, one] : bind.value.filter(other => other !== one))} />
        <div><label for={`fromid-${one}`}>{one}</label></div>
      </div>)}</div>
      {all.length === 0 && <p class="muted">There is no address to log in with.</p>}
      <p class="muted small">The domain needs a separator like + for variants of addresses; the administrator sets it.</p>
    </Form>
  </Card>
}

function Periods({ config }: { config: api.Account }) {
  const form = useForm({ messages: config.KeepRetiredMessagePeriod ?? 0, webhooks: config.KeepRetiredWebhookPeriod ?? 0 }, {
    save: values => api.KeepRetiredPeriodsSave(values.messages || null, values.webhooks || null),
    done: saved,
  })
  return <Card title="Remember what was sent" about="After messages and webhooks have left the queue."><Form model={form}>
    <Fields>
      <DurationField label="Messages" bind={form.field('messages')} placeholder="not at all" help="Like 3d or 2w. Notices that come later are not matched to their message." />
      <DurationField label="Webhooks" bind={form.field('webhooks')} placeholder="not at all" help="Like 12h or 3d. Then they can be looked at and posted again." />
    </Fields>
    {config.FromIDLoginAddresses.length > 0 && form.values.value.messages === 0 && <Notice state="warn">Without this, unique sender addresses tell nothing: no message is remembered that they could be about.</Notice>}
  </Form></Card>
}
