// Every page of an account, shown with what a busy server answers, and what they send.

import { act } from 'preact/test-utils'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { loggedIn } from '../src/api/wire'
import { ApiError, explain } from '../src/lib/problem'
import { route } from '../src/lib/router'
import { account, addresses, apply, applyMailbox, loginAddresses, mailboxes } from '../src/account/model'
import { about } from '../src/account/overview'
import { conditions, named, written } from '../src/account/rules'
import { isFallback } from '../src/account/clients'
import { told, type Importing } from '../src/account/importing'
import { curl, incomingSample, jsonFault, newSecret, outgoingSample, quoted } from '../src/account/samples'
import { fileName } from '../src/account/tlskeys'
import { urlFault } from '../src/account/webhooks'
import { ACCOUNT, DESTINATION, RULE, SAMPLES } from './accountsamples'

const called: { name: string, params: unknown }[] = []
const failures: string[] = []
/** What functions that change something answer. */
const answers: Record<string, unknown> = {}

beforeAll(async () => {
  document.body.innerHTML = '<div id="app"></div>'
  vi.stubGlobal('fetch', (url: string, init: { body: string }) => {
    const name = url.replace('api/', ''), answer = SAMPLES[name]
    const { params } = JSON.parse(init.body) as { params: unknown[] | Record<string, unknown> }
    called.push({ name, params })
    const given = (Array.isArray(params) ? params : Object.values(params)) as never[]
    const body = name in answers ? answers[name] : answer ? { result: answer(...given) } : { error: { code: 'sherpa:badFunction', message: name } }
    return Promise.resolve(new Response(JSON.stringify(body), { status: 200, headers: { 'content-type': 'application/json' } }))
  })
  window.addEventListener('error', event => failures.push(event.message))
  await act(async () => {
    await import('../src/account/main')
    loggedIn('token')
  })
})
afterEach(() => {
  called.length = 0
  failures.length = 0
  for (const name of Object.keys(answers)) delete answers[name]
})
afterAll(() => vi.unstubAllGlobals())

const main = () => document.querySelector<HTMLElement>('main') ?? document.body

/** Goes there and waits until it shows a text. */
async function visit(path: string[], content: string): Promise<void> {
  await act(() => { route.value = { path, query: {} } })
  await sees(content)
}

async function sees(content: string, within: () => HTMLElement = main): Promise<void> {
  await vi.waitFor(() => expect(within().textContent).toContain(content), { interval: 5 })
}

async function press(text: string, within: () => ParentNode = main): Promise<void> {
  const button = [...within().querySelectorAll('button')].find(one => one.textContent.trim() === text)
  if (!button) throw new Error(`no button ${text}`)
  await act(async () => {
    button.click()
    await Promise.resolve()
  })
}

/** Types into the control of a label. */
async function fill(label: string, text: string): Promise<void> {
  const found = [...document.querySelectorAll('label')].find(one => one.textContent === label), control = found && document.getElementById(found.htmlFor)
  if (!(control instanceof HTMLInputElement || control instanceof HTMLTextAreaElement)) throw new Error(`no field ${label}`)
  await act(() => {
    control.value = text
    control.dispatchEvent(new Event('input', { bubbles: true }))
  })
}

async function submit(form: () => Element | null | undefined = () => main().querySelector('form')): Promise<void> {
  await act(async () => {
    form()?.dispatchEvent(new Event('submit', { bubbles: true, cancelable: true }))
    await new Promise(resolve => { setTimeout(resolve, 0) })
  })
}

const sent = (name: string) => called.filter(one => one.name === name).map(one => one.params)

test.each([
  [[], 'Anna Example', ['Account', 'Aliases', 'Mailboxes', 'SecondFactor', 'LoginAttempts'], '2 recovery codes left'],
  [['profile'], 'Name and looks', [], 'Full name'],
  [['clients'], 'Mail programs', ['ClientConfigs', 'AppleProfile'], 'Servers for bücher.example'],
  [['addresses'], 'Addresses', [], 'to Inbox, 2 rules, forwarded to anna@elsewhere.example'],
  [['addresses', 'anna@example.org'], 'anna@example.org', [], 'Mailbox'],
  [['addresses', 'a/b?c@bücher.example'], 'a/b?c@bücher.example', [], 'Mailbox'],
  [['addresses', 'anna@example.org', 'rules'], 'anna@example.org', [], '^news@lists\\.example\\.org$'],
  [['addresses', 'anna@example.org', 'forwarding'], 'anna@example.org', [], 'Keep no copy here'],
  [['addresses', 'old@example.org', 'refusals'], 'old@example.org', [], 'All mail to this address is refused'],
  [['addresses', 'none@example.org'], 'none@example.org', [], 'There is no such address'],
  [['junk'], 'Junk', [], 'Power of a word'],
  [['junk', 'flags'], 'Junk', [], 'Set junk flags'],
  [['junk', 'rejects'], 'Junk', [], 'Mailbox for copies'],
  [['junk', 'introbox'], 'Junk', [], 'Mailbox for new senders'],
  [['password'], 'Password', [], 'Generated password'],
  [['secondfactor'], 'Two-step login', ['SecondFactor'], 'any password'],
  [['apppasswords'], 'App passwords', ['AppPasswordList'], 'old tablet'],
  [['keys'], 'TLS keys', ['TLSPublicKeys'], 'openssl pkcs12 -export -name "anna"'],
  [['sessions'], 'Sessions', ['Sessions'], 'Safari on iPhone'],
  [['logins'], 'Login attempts', ['LoginAttempts'], 'wrong password'],
  [['suppression'], 'Suppression', ['SuppressionList'], 'gone+list@example.net'],
  [['senderids'], 'Sender ids', [], 'Unique sender addresses'],
  [['webhooks'], 'Webhooks', [], 'What becomes of messages sent'],
  [['webhooks', 'incoming'], 'Webhooks', [], 'All that are accepted'],
  [['webhooks', 'signing'], 'Webhooks', [], 'Show the key'],
  [['tokens'], 'API tokens', ['APITokenList'], 'backup script'],
  [['data'], 'Import and export', [], 'Lists/News'],
  [['imap'], 'IMAP', [], 'Hidden capabilities'],
  [['nonsense'], 'There is no such page', [], 'To the overview'],
])('%j', async (path, heading, functions, content) => {
  await visit(path, content)
  expect(document.querySelector('h1')?.textContent).toBe(heading)
  expect(called.map(one => one.name)).toEqual(expect.arrayContaining(functions))
  expect(document.querySelectorAll('main [role=alert]')).toHaveLength(0)
  expect(failures).toEqual([])
  for (const control of document.querySelectorAll('main input:not([type=hidden]), main select, main textarea, main button')) expect(nameOf(control), control.outerHTML).not.toBe('')
  const ids = [...document.querySelectorAll('main [id]')].map(one => one.id)
  expect(ids).toEqual([...new Set(ids)])
})

/** What a screen reader calls a control. */
function nameOf(control: Element): string {
  const label = control.id ? [...document.querySelectorAll('label')].find(one => one.htmlFor === control.id) : control.closest('label')
  return (control.getAttribute('aria-label') ?? label?.textContent ?? control.textContent).trim()
}

test('an address is saved as it was shown, with what is different', async () => {
  answers['DestinationSave'] = { result: null }
  await visit(['addresses', '@example.org'], 'Mailbox')
  await fill('Mailbox', ' Archive ')
  await submit()
  const old = ACCOUNT.Config.Destinations['@example.org']
  expect(sent('DestinationSave')).toEqual([['@example.org', old, { ...old, Mailbox: 'Archive' }]])
})

test('periods are typed as people write them, and empty means none', async () => {
  answers['KeepRetiredPeriodsSave'] = { result: null }
  await visit(['senderids'], 'Remember what was sent')
  const forms = () => main().querySelectorAll('form')[1]
  await fill('Messages', '2 weeks')
  await fill('Webhooks', '12h')
  await submit(forms)
  expect(sent('KeepRetiredPeriodsSave')).toEqual([])
  await sees('Like 30s, 12h, 3d or 2w, please')
  await fill('Messages', '')
  await submit(forms)
  expect(sent('KeepRetiredPeriodsSave')).toEqual([[null, 12 * 3600e9]])
})

test('no junk filter is null', async () => {
  answers['JunkFilterSave'] = { result: null }
  await visit(['junk'], 'Use the filter')
  await act(() => main().querySelector<HTMLInputElement>('input[type=checkbox]')?.click())
  await submit()
  expect(sent('JunkFilterSave')).toEqual([[null]])
})

test('a webhook is tried with what the page has, and its answer shown', async () => {
  answers['OutgoingWebhookTest'] = { result: { Success: false, Code: 404, Response: 'no such order', Error: '', Duration: 12e6 } }
  await visit(['webhooks'], 'What becomes of messages sent')
  await fill('URL', 'http://localhost:9/x')
  await press('Test')
  const dialog = () => document.querySelector<HTMLElement>('dialog[open]') ?? main()
  await sees('--data-binary', dialog)
  await press('Post', dialog)
  await sees('no such order', dialog)
  expect(sent('OutgoingWebhookTest')).toEqual([['http://localhost:9/x', 'Bearer x', expect.objectContaining({ Event: 'delivered', QueueMsgID: 101 })]])
  await fill('JSON', '{')
  expect([...dialog().querySelectorAll('button')].find(one => one.textContent === 'Post again')?.disabled).toBe(true)
  await press('Close', dialog)
})

test('a new app password is shown once', async () => {
  answers['AppPasswordAdd'] = { result: { ID: 9, Password: 'abcd-efgh' } }
  await visit(['apppasswords'], 'old tablet')
  await press('New app password')
  const dialog = () => document.querySelector<HTMLElement>('dialog[open]') ?? main()
  await sees('Reading mail in a mail program', dialog)
  await fill('For', 'laptop')
  await submit(() => document.querySelector('dialog form'))
  await sees('abcd-efgh', dialog)
  expect(sent('AppPasswordAdd')).toEqual([{ Label: 'laptop', Protocols: ['imap', 'submission'], ExpiresIn: null }])
  await press('Done', dialog)
  expect(document.body.textContent).not.toContain('abcd-efgh')
})

test('private keys are not sent', async () => {
  await visit(['keys'], 'laptop')
  await press('Add key')
  await fill('Certificate', '-----BEGIN PRIVATE KEY-----')
  await submit(() => document.querySelector('dialog form'))
  await sees('That is a private key', () => document.body)
  expect(sent('TLSPublicKeyAdd')).toEqual([])
  await press('Cancel', () => document)
})

test('events change what is known', () => {
  mailboxes.set([{ ID: 1, Name: 'Inbox', SpecialUse: [], Messages: 1, Unread: 1, Size: 5 }])
  apply('MailboxCounts', { MailboxID: 2, Name: 'New', Messages: 0, Unread: 0, Size: 0 })
  expect(mailboxes.data.value?.map(one => one.Name)).toEqual(['Inbox', 'New'])
  apply('MailboxRemoved', { MailboxID: 1, Name: 'Inbox' })
  expect(mailboxes.data.value?.map(one => one.Name)).toEqual(['New'])
  account.set(ACCOUNT)
  apply('StorageChanged', { Used: 7 })
  expect(account.data.value).toEqual({ ...ACCOUNT, StorageUsed: 7 })
  expect(applyMailbox([{ ID: 1, Name: 'a', SpecialUse: ['Sent'], Messages: 0, Unread: 0, Size: 0 }], { MailboxID: 1, Name: 'b', Messages: 2, Unread: 1, Size: 9 }))
    .toEqual([{ ID: 1, Name: 'b', SpecialUse: ['Sent'], Messages: 2, Unread: 1, Size: 9 }])
})

test('addresses: by domain, catch-alls last', () => {
  expect(addresses(ACCOUNT.Config)).toEqual(['a/b?c@bücher.example', 'anna@example.org', 'old@example.org', '@example.org'])
  expect(loginAddresses(ACCOUNT.Config)).not.toContain('@example.org')
})

test.each([
  [{}, 'to Inbox'], [{ SMTPError: '550 no' }, 'refuses all mail'], [{ Mailbox: 'A', Rulesets: [RULE] }, 'to A, 1 rule'], [{ Forward: ['a@b.example', 'c@d.example'] }, 'to Inbox, forwarded to 2 addresses'],
  [{ Forward: ['a@b.example'], ForwardOnly: true }, 'forwarded to a@b.example'], [{ ForwardOnly: true }, 'to Inbox'],
])('in short %j', (part, text) => expect(about({ ...DESTINATION, ...part })).toBe(text))

test('a rule that is typed', () => {
  expect(conditions(RULE)).toEqual([['From', RULE.MsgFromRegexp], ['Verified', 'lists.example.org'], ['Field ^list-id$', 'news']])
  expect(written({ MsgFromRegexp: ' ', SMTPMailFromRegexp: 'x', VerifiedDomain: '', headers: [['', ''], ['^a$', 'b ']], Mailbox: '', ListAllowDomain: '', IsForward: false, AcceptRejectsToMailbox: '', Comment: ' c ' }))
    .toEqual({ MsgFromRegexp: null, SMTPMailFromRegexp: 'x', VerifiedDomain: null, HeadersRegexp: { '^a$': 'b' }, Mailbox: null, ListAllowDomain: null, IsForward: false, AcceptRejectsToMailbox: null, Comment: 'c' })
})

test('the command of a test is safe in a shell', () => {
  expect(quoted('it\'s')).toBe('\'it\'\\\'\'s\'')
  expect(curl('https://x.example/?a=$b', 'Bearer x\'y', '{"a":"\'"}')).toBe(
    'curl -i \\\n  -H \'Content-Type: application/json; charset=utf-8\' \\\n  -H \'X-Mox-Webhook-ID: 0\' \\\n  -H \'X-Mox-Webhook-Attempt: 1\' \\\n  -H \'Authorization: Bearer x\'\\\'\'y\' \\\n' +
    '  --data-binary \'{"a":"\'\\\'\'"}\' \\\n  \'https://x.example/?a=$b\'')
})

test('samples, keys, names', () => {
  expect(JSON.parse(JSON.stringify(outgoingSample('failed')))).toMatchObject({ Event: 'failed', SMTPCode: 550 })
  expect(incomingSample('me@example.org').Meta.RcptTo).toBe('me@example.org')
  expect(jsonFault('{"a":1}')).toBe('')
  expect(jsonFault('{')).not.toBe('')
  expect(newSecret()).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/)
  expect(fileName('jane.o\'hara$(x)@example.org')).toBe('jane.oharax')
  expect(fileName('-rf@example.org')).toBe('rf')
  expect(fileName('ü@example.org')).toBe('mail')
  expect(urlFault('')).toBe('')
  expect(urlFault('https://x.example/')).toBe('')
  expect(urlFault('ftp://x.example/')).not.toBe('')
  expect(urlFault('x.example')).not.toBe('')
})

test('what an import tells', () => {
  const start: Importing = { name: '', sent: null, whole: 0, step: '', counts: {}, problems: [], done: null, failure: null }
  const events: [string, unknown][] = [
    ['step', { Title: 'importing' }], ['count', { Mailbox: 'Inbox', Count: 3 }], ['count', { Mailbox: 'Inbox', Count: 7 }], ['count', { Mailbox: 'Sent', Count: 1 }], ['problem', { Message: 'x is no mail' }],
    ['unknown', {}], ['done', { Added: 8, Duplicates: 0, LeftOut: 1 }],
  ]
  expect(events.reduce((state, [kind, value]) => told(state, kind, value), start)).toEqual(
    { ...start, step: 'importing', counts: { Inbox: 7, Sent: 1 }, problems: ['x is no mail'], done: { Added: 8, Duplicates: 0, LeftOut: 1 } })
  expect(told(start, 'aborted', { Message: 'aborted' }).failure).toBe('aborted')
})

test.each([
  ['params of DestinationSave: New.Rulesets[2].MsgFromRegexp: is not a valid regular expression', 'From matches: is not a valid regular expression'],
  ['params of RulesetPreview: Ruleset.HeadersRegexp[...]: is too long', 'Header fields: is too long'],
  ['params of JunkFilterSave: JunkFilter.Threshold: Expected `float`', 'Threshold: Expected `float`'],
  ['params of RejectsSave: Mailbox: must not begin with a slash', 'Mailbox: must not begin with a slash'],
  ['somebody else: was faster', 'Somebody else: was faster'],
])('%s', (message, text) => expect(explain(named(new ApiError('user:error', message)))).toBe(text))

test('servers behind a port for HTTPS come second', () => {
  const one = { Domain: 'a.example', Protocol: 'IMAP (TLS)', Host: 'm', Port: 993, Note: '' }, two = { ...one, Port: 443 }, other = { ...two, Domain: 'b.example' }
  expect([one, two, other].map(each => isFallback([one, two, other], each))).toEqual([false, true, false])
})
