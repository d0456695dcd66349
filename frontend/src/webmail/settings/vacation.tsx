// The answer that is sent by itself while one is away (RFC 8621 §8, RFC 3834).

import { call, orThrow } from '../../api/jmap/client'
import type { VacationResponse } from '../../api/jmap/types'
import { Checkbox, Field, Fields, Form, Loaded, Notice, TextArea, TextField, useForm, type Bound } from '../../kit'
import { minute } from '../../lib/format'
import { useResource } from '../../lib/resource'
import { parseLocal, writeLocal } from '../compose/schedule'
import { htmlToText } from '../compose/text'

export function Vacation() {
  const response = useResource(async () => {
    const { list: [found] } = await call('VacationResponse/get', { ids: ['singleton'] })
    return found ?? { id: 'singleton', isEnabled: false, fromDate: null, toDate: null, subject: null, textBody: null, htmlBody: null } satisfies VacationResponse
  })
  return <Loaded of={response}>{found => <VacationForm response={found} onSaved={next => response.set(next)} />}</Loaded>
}

interface Values { isEnabled: boolean, from: string, to: string, subject: string, text: string }

const localOf = (time: string | null) => time === null ? '' : writeLocal(new Date(time))
const utcOf = (text: string) => parseLocal(text)?.toISOString().replace(/\.\d+/, '') ?? null

function VacationForm({ response, onSaved }: { response: VacationResponse, onSaved: (next: VacationResponse) => void }) {
  const form = useForm<Values>({
    isEnabled: response.isEnabled, from: localOf(response.fromDate), to: localOf(response.toDate), subject: response.subject ?? '',
    text: response.textBody ?? (response.htmlBody === null ? '' : htmlToText(response.htmlBody)),
  }, {
    check: values => ({
      ...(values.isEnabled && values.text.trim() === '' ? { text: 'Say something to those who write' } : {}),
      ...(values.from !== '' && values.to !== '' && values.to <= values.from ? { to: 'That is before it begins' } : {}),
    }),
    save: async values => {
      const next = { isEnabled: values.isEnabled, fromDate: utcOf(values.from), toDate: utcOf(values.to), subject: values.subject.trim() || null, textBody: values.text.trim() === '' ? null : values.text, htmlBody: null }
      orThrow(await call('VacationResponse/set', { update: { singleton: next } }))
      onSaved({ id: 'singleton', ...next })
    },
  })
  const values = form.values.value
  return <Form model={form}>
    <Checkbox label="Answer by itself while I am away" bind={form.field('isEnabled')} help="Whoever writes to you gets one answer a week. Lists, bulk mail and junk get none." />
    <Fields><TimeField label="From" bind={form.field('from')} help="Empty: at once." /><TimeField label="Until" bind={form.field('to')} help="Empty: until you switch it off." /></Fields>
    <TextField label="Subject" bind={form.field('subject')} placeholder="Re: what they wrote" />
    <TextArea label="Text" bind={form.field('text')} rows={6} />
    <Preview values={values} />
  </Form>
}

function TimeField({ label, bind, help }: { label: string, bind: Bound<string>, help: string }) {
  return <Field label={label} help={help} error={bind.error}>{attributes =>
    <input class="input" type="datetime-local" value={bind.value} {...attributes} onInput={event => bind.set(event.currentTarget.value)} />}</Field>
}

function Preview({ values }: { values: Values }) {
  if (values.text.trim() === '') return null
  const from = parseLocal(values.from), to = parseLocal(values.to), now = new Date()
  const when = !values.isEnabled ? 'It is switched off: nobody gets this.' : to && to <= now ? 'It is over: nobody gets this any more.'
    : `Who writes to you ${from && from > now ? `from ${minute(from)} on` : 'now'}${to ? ` and until ${minute(to)}` : ''} gets this:`
  return <div class="stack tight" role="group" aria-label="Preview">
    {to && to <= now && values.isEnabled ? <Notice state="warn">{when}</Notice> : <p class="muted">{when}</p>}
    <div class="vacationpreview">
      <div><span class="muted">Subject:</span> {values.subject.trim() || <>Re: <i>what they wrote</i></>}</div>
      <pre>{values.text.trimEnd()}</pre>
    </div>
  </div>
}
