// A message that is written: saved as one types, in conflict, sent, taken back; and the field of recipients.

import { render } from 'preact'
import { useState } from 'preact/hooks'
import { act } from 'preact/test-utils'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Email, Id, Identity, Mailbox } from '../src/api/jmap/types'
import { ApiError } from '../src/lib/problem'
import { unsaved } from '../src/lib/router'
import type { Address } from '../src/webmail/compose/addresses'
import { begin } from '../src/webmail/compose/beginning'
import { Composition } from '../src/webmail/compose/composition'
import { EMPTY, nextKey, type Draft } from '../src/webmail/compose/drafts'
import { keep, kept } from '../src/webmail/compose/kept'
import { restored } from '../src/webmail/compose/restoring'
import { forgetSuggestions } from '../src/webmail/compose/people'
import { RecipientField } from '../src/webmail/compose/recipients'
import { identities, mailboxes, preferences } from '../src/webmail/model'

/** As much of a server as is needed. */
class Server {
  emails = new Map<Id, Partial<Email> & { id: Id }>()
  calls: [string, Record<string, unknown>][] = []
  refuse: Record<string, { type: string, description?: string }> = {}
  recipients = [{ name: 'Anna Meier', email: 'anna@b.example', lastSent: '2026-01-01T00:00:00Z' }, { name: '', email: 'annette@d.example', lastSent: '2025-01-01T00:00:00Z' }]
  private count = 0

  /** Does what it is told, but its next answers do not arrive. */
  lost = 0
  submitted: Id[] = []

  answer(name: string, given: Record<string, unknown>): Record<string, unknown> {
    const made = this.act(name, given)
    if (this.lost > 0) {
      this.lost -= 1
      throw new ApiError('network', 'no answer')
    }
    return made
  }

  private act(name: string, given: Record<string, unknown>): Record<string, unknown> {
    this.calls.push([name, given])
    const refused = this.refuse[name]
    switch (name) {
      case 'Email/set': return this.set(given)
      case 'Email/get': return { list: (given['ids'] as Id[]).map(id => this.emails.get(id)).filter(one => one), state: '1', notFound: [] }
      case 'Email/query': return { ids: [...this.emails.keys()].filter(id => JSON.stringify(this.emails.get(id)?.messageId) === JSON.stringify([(given['filter'] as { header: string[] }).header[1]])) }
      case 'EmailSubmission/set': {
        if (given['update']) return { updated: { S1: null }, ...(refused ? { notUpdated: { S1: refused } } : {}) }
        if (refused) return { notCreated: { submission: refused } }
        this.submitted.push([...this.emails.keys()].at(-1) ?? '')
        return { created: { submission: { id: 'S1' } } }
      }
      case 'EmailSubmission/query': return { ids: this.submitted.includes(((given['filter'] as { emailIds: Id[] }).emailIds)[0] ?? '') ? ['S1'] : [] }
      case 'Recipient/query': return { list: this.recipients.filter(one => `${one.name} <${one.email}>`.toLowerCase().includes(given['text'] as string)), isComplete: true }
      case 'RecipientSecurity/get': return { list: [] }
      default: return {}
    }
  }

  private set(given: Record<string, unknown>): Record<string, unknown> {
    const created: Record<string, unknown> = {}, notDestroyed: Record<string, unknown> = {}
    for (const [key, value] of Object.entries(given['create'] ?? {})) {
      const id = `M${++this.count}`, email = value as Partial<Email>
      const attachments = (email.attachments ?? []).map((one, at) => ({ ...one, blobId: `B${id}-${at}`, partId: String(at) }))
      this.emails.set(id, { ...email, id, attachments })
      created[key] = { id }
    }
    for (const [id, patch] of Object.entries(given['update'] ?? {})) Object.assign(this.emails.get(id) ?? {}, { patched: patch })
    for (const id of (given['destroy'] as Id[] | undefined) ?? []) if (!this.emails.delete(id)) notDestroyed[id] = { type: 'notFound' }
    return { created, notDestroyed, destroyed: [], updated: {} }
  }

  of(name: string): Record<string, unknown>[] {
    return this.calls.filter(([one]) => one === name).map(([, given]) => given)
  }
}

let server: Server
vi.mock('../src/api/jmap/client', async original => ({
  ...await original<object>(),
  call: (name: string, given: Record<string, unknown>) => Promise.resolve().then(() => server.answer(name, given)),
  jmapSession: () => Promise.resolve({
    capabilities: { 'urn:ietf:params:jmap:core': { maxSizeUpload: 10_000_000 } }, downloadUrl: '{blobId}', username: 'me',
    accounts: { A1: { accountCapabilities: { 'urn:ietf:params:jmap:submission': { maxDelayedSend: 86400, submissionExtensions: { REQUIRETLS: [] } } } } }, primaryAccounts: {},
  }),
  upload: (file: File) => lostUploads-- > 0 ? Promise.reject(new ApiError('network', 'no answer'))
    : Promise.resolve({ accountId: 'A1', blobId: `U-${file.name}`, type: file.type, size: file.size }),
}))
/** Uploads that fail before others arrive. */
let lostUploads = 0
/** The browser's database. */
const keptFiles = new Map<string, Blob>()
vi.mock('../src/webmail/offline', async original => ({
  ...await original<object>(),
  keepUnsaved: (files: ReadonlyMap<string, Blob>) => {
    keptFiles.clear()
    for (const [key, file] of files) keptFiles.set(key, file)
    return Promise.resolve()
  },
  unsavedFile: (key: string) => Promise.resolve(keptFiles.get(key)),
}))

const mailbox = (id: Id, name: string, role: string) => ({ id, name, role, parentId: null }) as unknown as Mailbox
const identity = (id: Id, email: string, textSignature = ''): Identity => ({ id, name: 'Me', email, replyTo: null, bcc: null, textSignature, htmlSignature: '', mayDelete: false })
const at = (email: string): Address => ({ name: null, email })

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  server = new Server()
  lostUploads = 0
  keptFiles.clear()
  mailboxes.value = [mailbox('F1', 'Inbox', 'inbox'), mailbox('F2', 'Drafts', 'drafts'), mailbox('F3', 'Sent', 'sent'), mailbox('F4', 'Archive', 'archive')]
  identities.value = [identity('I1', 'me@home.example', 'Me'), identity('I2', 'me@work.example', 'Me at work')]
  preferences.value = { ...preferences.value, undoSeconds: 10, composeHTML: false, signature: '', quoting: 'auto' }
  unsaved.clear()
})
afterEach(() => {
  vi.useRealTimers()
})

function composition(given: Partial<Draft> = {}, draftId: Id | null = null): Composition {
  return new Composition({ draft: { ...EMPTY, from: at('me@home.example'), ...given }, draftId, messageId: null, cursor: 0, isList: false, title: 'New message' })
}
const never = () => { throw new Error('reopened') }

describe('drafts', () => {
  test('are saved some seconds after a change, one in place of the other', async () => {
    const one = composition()
    one.change({ subject: 'a' })
    expect(unsaved.size).toBe(1)
    await vi.advanceTimersByTimeAsync(4000)
    expect(server.calls).toEqual([])
    await vi.advanceTimersByTimeAsync(1500)
    expect([...server.emails.keys()]).toEqual(['M1'])
    expect([one.state.value, unsaved.size, one.isChanged.value]).toEqual(['saved', 0, false])
    one.change({ subject: 'ab' })
    await vi.advanceTimersByTimeAsync(6000)
    expect([...server.emails.values()].map(email => [email.id, email.subject])).toEqual([['M2', 'ab']])
    expect(server.of('Email/set').map(given => (given['create'] as Record<string, Email>)['draft']?.messageId)[0]).toEqual(server.emails.get('M2')?.messageId)
  })

  test('that were changed while they were saved are saved again', async () => {
    const one = composition()
    one.change({ subject: 'a' })
    const saving = one.save()
    one.change({ subject: 'b' })
    expect(await saving).toBe(false)
    await vi.advanceTimersByTimeAsync(6000)
    expect([...server.emails.values()].map(email => email.subject)).toEqual(['b'])
  })

  test('that are gone elsewhere are not doubled: the writer decides', async () => {
    const one = composition({ subject: 'mine' })
    await one.save()
    const messageId = server.emails.get('M1')?.messageId
    server.emails.clear()
    one.change({ subject: 'mine still' })
    await vi.advanceTimersByTimeAsync(6000)
    expect([one.conflict.value, one.state.value, [...server.emails.keys()]]).toEqual([true, 'unsaved', []])
    server.emails.set('M9', { id: 'M9', messageId: messageId ?? [] })
    expect(await one.theirs()).toBe('M9')
    one.change({ subject: 'mine again' })
    await vi.advanceTimersByTimeAsync(60_000)
    expect([...server.emails.keys()]).toEqual(['M9'])
    expect(await one.keepMine()).toBe(true)
    expect([...server.emails.values()].map(email => email.subject)).toEqual([undefined, 'mine again'])
  })

  test('whose answers are lost are neither doubled nor taken for those of others', async () => {
    const one = composition({ subject: 'a' })
    await one.save()
    server.lost = 1
    one.change({ subject: 'b' })
    expect(await one.save()).toBe(false)
    expect([one.state.value, [...server.emails.keys()]]).toEqual(['failed', ['M2']])
    await vi.advanceTimersByTimeAsync(30_000)
    expect([one.state.value, one.conflict.value, [...server.emails.values()].map(email => email.subject)]).toEqual(['saved', false, ['b']])
  })

  test('that cannot be saved are kept in the browser until they can', async () => {
    const one = composition({ subject: 'a' })
    server.lost = 2
    one.change({ body: 'precious' })
    expect(await one.save()).toBe(false)
    expect(kept('me')?.body).toBe('precious')
    expect(kept('me')).not.toBeNull()
    await vi.advanceTimersByTimeAsync(60_000)
    expect([one.state.value, kept('me')]).toEqual(['saved', null])
    keep('me', one.draft.value, new Map())
    expect(kept('somebody else')).toBeNull()
    expect(kept('me')).toBeNull()
  })

  test('are kept with their files, which are sent once there is a connection', async () => {
    const one = composition({ subject: 'a' }), file = new File(['x'], 'a.txt', { type: 'text/plain' })
    lostUploads = 1
    one.attach([file])
    server.lost = 1
    expect(await one.save()).toBe(false)
    const [{ key = '', blobId } = {}] = kept('me')?.attachments ?? []
    expect(blobId).toBeNull()
    expect([...keptFiles]).toEqual([[key, file]])
    await vi.advanceTimersByTimeAsync(60_000)
    expect([one.state.value, kept('me'), keptFiles.size]).toEqual(['saved', null, 0])
    expect([...server.emails.values()].at(-1)?.attachments?.map(part => part.name)).toEqual(['a.txt'])
  })

  test('are taken up again with their files', async () => {
    const old = composition({ subject: 'a' }), there = { key: 'k1', name: 'here.txt', type: 'text/plain', size: 1, cid: null, isForwarded: false, isIncluded: true, blobId: null }
    const draft = { ...old.draft.value, attachments: [there, { ...there, key: 'k2', name: 'server.txt', blobId: 'B1' }, { ...there, key: 'k3', name: 'gone.txt', blobId: 'B2' }, { ...there, key: 'k4', name: 'never.txt' }] }
    keptFiles.set('k1', new Blob(['x']))
    const found = await restored(draft, one => Promise.resolve(one.blobId === 'B1'))
    expect([found.draft.attachments.map(one => one.name), found.lost]).toEqual([['here.txt', 'server.txt'], ['gone.txt', 'never.txt']])
    expect([...found.files].map(([key, file]) => [key === found.draft.attachments[0]?.key, file.name])).toEqual([[true, 'here.txt']])
  })

  test('never take the file of another window for theirs', async () => {
    const mine = nextKey()
    vi.resetModules()
    const other = await import('../src/webmail/compose/drafts')
    expect(other.nextKey).not.toBe(nextKey)
    const theirs = Array.from({ length: 9 }, () => other.nextKey())
    expect(new Set([mine, nextKey(), ...theirs]).size).toBe(11)
    expect(theirs).not.toContain(mine)
  })

  test('keep their attachments from version to version', async () => {
    const one = composition()
    one.attach([new File(['x'], 'a.txt', { type: 'text/plain' }), new File(['yy'], 'b.txt', { type: 'text/plain' })])
    await vi.advanceTimersByTimeAsync(6000)
    expect(one.draft.value.attachments.map(file => file.blobId)).toEqual(['BM1-0', 'BM1-1'])
    expect(one.isChanged.value).toBe(false)
    one.detach(one.draft.value.attachments[0]?.key ?? '')
    await vi.advanceTimersByTimeAsync(6000)
    expect([...server.emails.values()].map(email => email.attachments?.map(part => part.name))).toEqual([['b.txt']])
  })

  test('that were begun elsewhere come back as they were', async () => {
    const one = composition({ subject: 'before' })
    await one.save()
    const again = new Composition(await begin({ kind: 'draft', emailId: 'M1' }))
    again.change({ subject: 'after' })
    await again.save()
    expect(again.isWritten).toBe(true)
    await again.discard()
    expect([...server.emails.values()].map(email => email.subject)).toEqual(['before'])
    expect(unsaved.size).toBe(0)
  })

  test('are removed', async () => {
    const one = composition({ subject: 'x' })
    await one.save()
    await one.remove()
    expect(server.emails.size).toBe(0)
    one.change({ subject: 'late' })
    await vi.advanceTimersByTimeAsync(60_000)
    expect(server.emails.size).toBe(0)
  })

  test('of another address have its signature', () => {
    const one = composition({ body: 'Hello\n\n-- \nMe' })
    one.setFrom(at('me@work.example'))
    expect([one.draft.value.body, one.turn.value]).toEqual(['Hello\n\n-- \nMe at work', 1])
    const html = composition({ mode: 'html', body: '<div>Hello</div><div class="signature"><div>Me</div></div><blockquote>x</blockquote>' })
    html.setFrom(at('me@work.example'))
    expect(html.draft.value.body).toBe('<div>Hello</div><div class="signature"><div>Me at work</div></div><blockquote>x</blockquote>')
  })
})

describe('sending', () => {
  test.each<[Partial<Draft>, RegExp[], boolean]>([
    [{}, [/no recipient/], true],
    [{ to: [at('nobody')] }, [/nobody: an address has an @/], true],
    [{ to: [at('a@b.example')], from: at('x') }, [/^From/], true],
    [{ to: [at('a@b.example')], subject: 's', body: 'It is attached.' }, [/“attached”/], false],
    [{ to: [at('a@gmial.com')], body: 'x' }, [/no subject/, /mistyped/], false],
    [{ to: [at('a@b.example')], subject: 's', attachments: [{ key: 'k', name: 'n', type: 't/t', size: 20_000_000, blobId: 'B', cid: null, isForwarded: false, isIncluded: true }] }, [/too large/], true],
    [{ to: [at('a@b.example')], subject: 's', body: 'x' }, [], false],
  ])('%j', async (given, expected, stops) => {
    const found = await composition(given).objections()
    expect(found.length).toBe(expected.length)
    expected.forEach((one, index) => expect(found[index]?.text).toMatch(one))
    expect(found.some(one => one.stops)).toBe(stops)
  })

  test('removes the draft, marks the original, and hides who is in Bcc from nobody but the envelope', async () => {
    server.emails.set('O1', { id: 'O1' })
    const one = composition({ to: [at('a@b.example')], bcc: [at('c@d.example')], subject: 's', answer: { kind: 'forward', emailId: 'O1' }, tls: 'require' })
    await one.save()
    expect(await one.send({ at: null, archive: false }, never)).toBe(true)
    const [sent] = server.of('EmailSubmission/set')
    expect(sent).toMatchObject({
      create: { submission: { identityId: 'I1', emailId: '#message', envelope: {
        mailFrom: { email: 'me@home.example', parameters: { HOLDFOR: '10', REQUIRETLS: null } }, rcptTo: [{ email: 'a@b.example' }, { email: 'c@d.example' }],
      } } },
      onSuccessUpdateEmail: { '#submission': { 'mailboxIds/F2': null, 'mailboxIds/F3': true, 'keywords/$draft': null } },
    })
    expect([...server.emails.keys()]).toEqual(['O1', 'M2'])
    expect(server.emails.get('O1')).toMatchObject({ patched: { 'keywords/$forwarded': true } })
    expect(server.emails.get('M2')).not.toHaveProperty('header:X-Moxpy-Draft:asText')
    expect(unsaved.size).toBe(0)
  })

  test('that fails leaves the draft', async () => {
    const one = composition({ to: [at('a@b.example')], subject: 's' })
    await one.save()
    server.refuse['EmailSubmission/set'] = { type: 'forbiddenFrom', description: 'not yours' }
    expect(await one.send({ at: null, archive: false }, never)).toBe(false)
    expect(one.refused.value).toBe('Not yours')
    expect([...server.emails.keys()]).toEqual(['M1'])
    server.refuse = {}
    expect(await one.send({ at: null, archive: false }, never)).toBe(true)
    expect([...server.emails.keys()]).toEqual(['M3'])
  })

  test.each([[2, true], [1, true]])('whose answer is lost is not sent twice', async lost => {
    const one = composition({ to: [at('a@b.example')], subject: 's' })
    server.lost = lost
    expect(await one.send({ at: null, archive: false }, never)).toBe(false)
    expect(await one.send({ at: null, archive: false }, never)).toBe(true)
    expect(server.submitted.length).toBe(1)
    expect(server.emails.size).toBe(1)
  })

  test('later', async () => {
    const one = composition({ to: [at('a@b.example')], subject: 's' })
    await one.send({ at: new Date(Date.now() + 3_600_000), archive: false }, never)
    const [sent] = server.of('EmailSubmission/set') as { create: { submission: { envelope: { mailFrom: { parameters: Record<string, string> } } } } }[]
    expect(Number(sent?.create.submission.envelope.mailFrom.parameters['HOLDFOR'])).toBeGreaterThan(3590)
  })
})

describe('the field of recipients', () => {
  let place: HTMLElement, chosen: readonly Address[]
  beforeEach(() => {
    vi.useRealTimers()
    forgetSuggestions()
    place = document.createElement('div')
    document.body.append(place)
    function Around() {
      const [list, setList] = useState<readonly Address[]>([])
      chosen = list
      return <RecipientField label="To" addresses={list} onChange={setList} secure={false} known={list} />
    }
    void act(() => render(<Around />, place))
  })
  afterEach(() => {
    void act(() => render(null, place))
    place.remove()
  })
  const input = () => place.querySelector('input') as HTMLInputElement
  const type = async (text: string) => act(async () => {
    input().focus()
    input().value = text
    input().dispatchEvent(new Event('input', { bubbles: true }))
    await new Promise(resolve => setTimeout(resolve, 200))
  })
  const key = async (name: string, target: HTMLElement = input()) => act(async () => {
    target.dispatchEvent(new KeyboardEvent('keydown', { key: name, bubbles: true, cancelable: true }))
    await new Promise(resolve => setTimeout(resolve, 30))
  })
  const emails = () => chosen.map(one => one.email)

  test('Tab and Enter accept what is suggested, a whole address is taken as it is', async () => {
    await type('ann')
    expect([...place.querySelectorAll('[role="option"]')].length).toBe(2)
    await key('Tab')
    expect(chosen).toEqual([{ name: 'Anna Meier', email: 'anna@b.example' }])
    await type('ann')
    expect([...place.querySelectorAll('[role="option"]')].length).toBe(1)
    await key('ArrowDown')
    await key('Enter')
    await type('an@b.example')
    await key('Enter')
    expect(emails()).toEqual(['anna@b.example', 'annette@d.example', 'an@b.example'])
    expect(server.of('Recipient/query').length).toBeLessThan(3)
  })

  test('a comma ends an address, what is none stays and is told', async () => {
    await type('x@y.example')
    await key(',')
    await type('nonsense')
    await act(async () => {
      input().dispatchEvent(new FocusEvent('blur'))
      input().dispatchEvent(new FocusEvent('focusout', { bubbles: true }))
    })
    expect(emails()).toEqual(['x@y.example', 'nonsense'])
    expect(place.querySelector('.recipient.wrong')?.getAttribute('aria-label')).toBe('nonsense: An address has an @')
  })

  test('a list is pasted, chips are removed and edited by keys', async () => {
    await act(async () => {
      const event = new Event('paste', { bubbles: true, cancelable: true })
      Object.assign(event, { clipboardData: { getData: () => 'A <a@x.example>, b@x.example; c@x.example' } })
      input().dispatchEvent(event)
    })
    expect(emails()).toEqual(['a@x.example', 'b@x.example', 'c@x.example'])
    await key('Backspace')
    await key('Backspace', document.activeElement as HTMLElement)
    expect(emails()).toEqual(['a@x.example', 'b@x.example'])
    const chips = [...place.querySelectorAll<HTMLElement>('.recipient')]
    await key('ArrowLeft', chips[1])
    expect(document.activeElement).toBe(chips[0])
    await key('Enter', chips[0])
    expect([emails(), input().value]).toEqual([['b@x.example'], 'A <a@x.example>'])
  })
})
