// Writing mail, the pure parts: addresses, answers, bodies, times, drafts.

import { describe, expect, test } from 'vitest'
import { asciiDomain, canonical, flaw, parseAddresses, probablyMeant, unique, writeAddress } from '../src/webmail/compose/addresses'
import { EMPTY, fromEmail, included, readNotes, toEmail, writeNotes, type Draft } from '../src/webmail/compose/drafts'
import { parseMailto } from '../src/webmail/compose/mailto'
import { exported } from '../src/webmail/compose/html'
import { attribution, chooseFrom, forwardHead, listAddress, quotedHTML, quotedText, recipients, senderOf, subjectOf, thread, withoutForwarded, type AnswerKind, type Answered, type Sender } from '../src/webmail/compose/reply'
import { flawOfTime, holdFor, moments, parseLocal, spoken, writeLocal } from '../src/webmail/compose/schedule'
import { assembleHTML, assembleText, attachmentWord, exchangeSignature, htmlToText, isFormatted, quote, textToHTML, unquoted, withoutSignature } from '../src/webmail/compose/text'

const at = (email: string, name: string | null = null) => ({ name, email })
const short = (list: readonly { name: string | null, email: string }[]) => list.map(one => one.name ? `${one.name} <${one.email}>` : one.email)

describe('addresses', () => {
  test.each<[string, string[]]>([
    ['', []],
    ['a@b.example', ['a@b.example']],
    ['a@b.example, c@d.example', ['a@b.example', 'c@d.example']],
    ['a@b.example; c@d.example;', ['a@b.example', 'c@d.example']],
    ['a@b.example\nc@d.example\r\n', ['a@b.example', 'c@d.example']],
    ['a@b.example c@d.example', ['a@b.example', 'c@d.example']],
    ['Anna <a@b.example>', ['Anna <a@b.example>']],
    ['Anna Maria <a@b.example>, Bob <c@d.example>', ['Anna Maria <a@b.example>', 'Bob <c@d.example>']],
    ['Anna <a@b.example> Bob <c@d.example>', ['Anna <a@b.example>', 'Bob <c@d.example>']],
    ['Anna <a@b.example>\nBob <c@d.example>', ['Anna <a@b.example>', 'Bob <c@d.example>']],
    ['"Doe, John" <j@d.example>, x@y.example', ['Doe, John <j@d.example>', 'x@y.example']],
    ['"Joe \\"Q\\" Public" <j@d.example>', ['Joe "Q" Public <j@d.example>']],
    ["'Anna' <a@b.example>", ['Anna <a@b.example>']],
    ['a@b.example (Anna)', ['Anna <a@b.example>']],
    ['Team: a@b.example, c@d.example;', ['a@b.example', 'c@d.example']],
    ['undisclosed-recipients:;', []],
    ['<a@b.example>', ['a@b.example']],
    ['mailto:a@b.example', ['a@b.example']],
    ['Anna <mailto:a@b.example>', ['Anna <a@b.example>']],
    ['a@b.example <a@b.example>', ['a@b.example <a@b.example>']],
    ['Anna\n <a@b.example>', ['Anna <a@b.example>']],
    ['jörg@müller.example', ['jörg@müller.example']],
    ['"a b"@c.example', ['"a b"@c.example']],
    ['nonsense', ['nonsense']],
    ['Anna, b@c.example', ['Anna', 'b@c.example']],
    ['O"Brien <o@b.example>, x@y.example', ['O"Brien <o@b.example>', 'x@y.example']],
    ['Anna <a@b.example', ['Anna <a@b.example>']],
    [' , ;, ', []],
  ])('%j', (text, expected) => expect(short(parseAddresses(text))).toEqual(expected))

  test.each([
    at('a@b.example'), at('a@b.example', 'Anna'), at('a@b.example', 'Doe, John'), at('a@b.example', 'Joe "Q" \\ Public'), at('a@b.example', 'Jörg (home)'),
    at('a@b.example', '李雷'), at('a@b.example', 'x@y.example'),
  ])('written and read again: %j', one => expect(parseAddresses(`z@z.example, ${writeAddress(one)}, y@y.example`)[1]).toEqual(one))

  test.each<[string, RegExp | null]>([
    ['a@b.example', null], ['a.b+c@b.example', null], ['"a b"@b.example', null], ['jörg@müller.example', null], ['用户@例え.テスト', null], ['a@[127.0.0.1]', null],
    ['a@[IPv6:::1]', null], ['a@localhost', null], ['a@xn--mller-kva.example', null],
    ['', /no address/], ['a', /an @/], ['@b.example', /before/], ['a@', /missing/], ['a b@c.example', /space/], ['.a@b.example', /dot/], ['a..b@c.example', /dot/],
    ['a@b..example', /dot too many/], ['a@b_c.example', /cannot have/], ['a@-b.example', /cannot have/], ['a@1.2.3.4', /number/],
    [`${'x'.repeat(65)}@b.example`, /too long/], ['a,b@c.example', /cannot have/], ['a@b c.example', /cannot have/], ['a@b@c.example', /cannot have/],
  ])('what is wrong with %j', (email, wrong) => wrong ? expect(flaw(email)).toMatch(wrong) : expect(flaw(email)).toBeNull())

  test('spellings of one address', () => {
    expect(asciiDomain('MÜLLER.example')).toBe('xn--mller-kva.example')
    expect(canonical('Anna@MÜLLER.example')).toBe('anna@xn--mller-kva.example')
    expect(short(unique([at('A@b.example'), at('a@B.example'), at('c@d.example')], [at('C@D.example')]))).toEqual(['A@b.example'])
  })

  test('domains that were probably mistyped', () => {
    expect(probablyMeant('anna@gmial.com')).toBe('anna@gmail.com')
    expect(probablyMeant('anna@gmai.com')).toBe('anna@gmail.com')
    expect(probablyMeant('anna@gmail.com')).toBeNull()
    expect(probablyMeant('anna@gmx.net')).toBeNull()
    expect(probablyMeant('anna@example.org')).toBeNull()
    expect(probablyMeant('anna@gmial.com', new Set(['gmial.com']))).toBeNull()
  })
})

describe('mailto:', () => {
  test.each<[string, Partial<Record<'to' | 'cc' | 'bcc', string[]> & { subject: string, body: string, inReplyTo: string }>]>([
    ['mailto:a@b.example', { to: ['a@b.example'] }],
    ['mailto:a@b.example,c@d.example?subject=Hello%20you', { to: ['a@b.example', 'c@d.example'], subject: 'Hello you' }],
    ['mailto:?to=a@b.example&cc=c@d.example&bcc=e@f.example', { to: ['a@b.example'], cc: ['c@d.example'], bcc: ['e@f.example'] }],
    ['mailto:a+b@c.example?body=one%0D%0Atwo+three', { to: ['a+b@c.example'], body: 'one\ntwo+three' }],
    ['mailto:a%2Cb@c.example?subject=caf%C3%A9', { to: ['a', 'b@c.example'], subject: 'café' }],
    ['MAILTO:a@b.example?SUBJECT=x&In-Reply-To=%3Cid@host%3E', { to: ['a@b.example'], subject: 'x', inReplyTo: 'id@host' }],
    ['mailto:a@b.example?subject=100%', { to: ['a@b.example'], subject: '100%' }],
    ['mailto:a@b.example?from=x@y.example&attach=/etc/passwd&subject=a%0D%0ABcc:%20z@z.example', { to: ['a@b.example'], subject: 'a Bcc: z@z.example' }],
    ['mailto:Anna%20%3Ca@b.example%3E', { to: ['Anna <a@b.example>'] }],
    ['mailto:', {}],
  ])('%s', (link, expected) => {
    const found = parseMailto(link)
    expect({ to: short(found.to), cc: short(found.cc), bcc: short(found.bcc), subject: found.subject, body: found.body, inReplyTo: found.inReplyTo })
      .toEqual({ to: [], cc: [], bcc: [], subject: '', body: '', inReplyTo: null, ...expected })
  })
})

const SENDERS: Sender[] = [
  { id: 'i1', name: 'Me', email: 'me@home.example' }, { id: 'i2', name: 'Me at work', email: 'me@work.example' },
  { id: 'i3', name: '', email: '*@all.example' }, { id: 'i4', name: 'Office', email: 'office@work.example' },
]
function message(given: Partial<Answered> = {}): Answered {
  return {
    id: 'M1', messageId: ['one@b.example'], inReplyTo: null, references: null, from: [at('anna@b.example', 'Anna')], to: [at('me@home.example')], cc: null, bcc: null,
    replyTo: null, subject: 'Plan', sentAt: '2026-11-26T10:46:00Z', receivedAt: '2026-11-26T10:46:05Z', ...given,
  }
}

/** Shapes of messages: what is answered, and From, To, Cc and Bcc of reply, reply to all, and reply to the list. */
const SHAPES: [string, Partial<Answered>, Record<'reply' | 'replyAll' | 'replyList', string>][] = [
  ['to me', {}, { reply: 'me@home.example → anna@b.example', replyAll: 'me@home.example → anna@b.example', replyList: 'me@home.example → anna@b.example' }],
  ['to my other address', { to: [at('me@work.example')] }, { reply: 'me@work.example → anna@b.example', replyAll: 'me@work.example → anna@b.example', replyList: 'me@work.example → anna@b.example' }],
  ['to me and others', { to: [at('me@home.example'), at('bob@c.example')], cc: [at('carl@d.example')] },
    { reply: 'me@home.example → anna@b.example', replyAll: 'me@home.example → anna@b.example, bob@c.example; carl@d.example', replyList: 'me@home.example → anna@b.example, bob@c.example; carl@d.example' }],
  ['me in Cc', { to: [at('bob@c.example')], cc: [at('me@work.example')] }, { reply: 'me@work.example → anna@b.example', replyAll: 'me@work.example → anna@b.example, bob@c.example', replyList: 'me@work.example → anna@b.example, bob@c.example' }],
  ['both of mine', { to: [at('me@work.example')], cc: [at('me@home.example')] }, { reply: 'me@work.example → anna@b.example', replyAll: 'me@work.example → anna@b.example', replyList: 'me@work.example → anna@b.example' }],
  ['both of mine, the envelope knows', { to: [at('me@work.example'), at('me@home.example')], rcptTo: 'me@home.example' },
    { reply: 'me@home.example → anna@b.example', replyAll: 'me@home.example → anna@b.example', replyList: 'me@home.example → anna@b.example' }],
  ['upper case', { to: [at('ME@Home.Example')] }, { reply: 'me@home.example → anna@b.example', replyAll: 'me@home.example → anna@b.example', replyList: 'me@home.example → anna@b.example' }],
  ['Reply-To', { replyTo: [at('desk@b.example')] }, { reply: 'me@home.example → desk@b.example', replyAll: 'me@home.example → desk@b.example', replyList: 'me@home.example → desk@b.example' }],
  ['several in Reply-To', { replyTo: [at('x@b.example'), at('y@b.example')] },
    { reply: 'me@home.example → x@b.example, y@b.example', replyAll: 'me@home.example → x@b.example, y@b.example', replyList: 'me@home.example → x@b.example, y@b.example' }],
  ['several in From', { from: [at('anna@b.example'), at('bob@c.example')] },
    { reply: 'me@home.example → anna@b.example, bob@c.example', replyAll: 'me@home.example → anna@b.example, bob@c.example', replyList: 'me@home.example → anna@b.example, bob@c.example' }],
  ['empty Reply-To', { replyTo: [] }, { reply: 'me@home.example → anna@b.example', replyAll: 'me@home.example → anna@b.example', replyList: 'me@home.example → anna@b.example' }],
  ['Bcc to me', { to: [at('bob@c.example')], rcptTo: 'me@work.example' }, { reply: 'me@work.example → anna@b.example', replyAll: 'me@work.example → anna@b.example, bob@c.example', replyList: 'me@work.example → anna@b.example, bob@c.example' }],
  ['undisclosed recipients', { to: [], rcptTo: 'me@work.example' }, { reply: 'me@work.example → anna@b.example', replyAll: 'me@work.example → anna@b.example', replyList: 'me@work.example → anna@b.example' }],
  ['variant with +', { to: [at('me+shop@home.example')] }, { reply: 'me+shop@home.example → anna@b.example', replyAll: 'me+shop@home.example → anna@b.example', replyList: 'me+shop@home.example → anna@b.example' }],
  ['variant with -, the envelope knows', { to: [at('me-shop@home.example')], rcptTo: 'me-shop@home.example' },
    { reply: 'me-shop@home.example → anna@b.example', replyAll: 'me-shop@home.example → anna@b.example, me-shop@home.example', replyList: 'me-shop@home.example → anna@b.example, me-shop@home.example' }],
  ['somebody who looks like a variant', { to: [at('me-too@home.example'), at('me@work.example')] },
    { reply: 'me@work.example → anna@b.example', replyAll: 'me@work.example → anna@b.example, me-too@home.example', replyList: 'me@work.example → anna@b.example, me-too@home.example' }],
  ['catch-all of a domain', { to: [at('anything@all.example')] }, { reply: 'anything@all.example → anna@b.example', replyAll: 'anything@all.example → anna@b.example', replyList: 'anything@all.example → anna@b.example' }],
  ['alias that may write', { to: [at('office@work.example')], rcptTo: 'office@work.example' }, { reply: 'office@work.example → anna@b.example', replyAll: 'office@work.example → anna@b.example', replyList: 'office@work.example → anna@b.example' }],
  ['alias that may not', { to: [at('all@work.example')], rcptTo: 'all@work.example' },
    { reply: 'me@home.example → anna@b.example', replyAll: 'me@home.example → anna@b.example, all@work.example', replyList: 'me@home.example → anna@b.example, all@work.example' }],
  ['mailing list', { to: [at('list@l.example')], rcptTo: 'me@work.example', listPost: ['mailto:list@l.example'] },
    { reply: 'me@work.example → anna@b.example', replyAll: 'me@work.example → anna@b.example, list@l.example', replyList: 'me@work.example → list@l.example' }],
  ['mailing list that sets Reply-To', { to: [at('list@l.example')], replyTo: [at('list@l.example')], listPost: ['mailto:list@l.example?subject=x'] },
    { reply: 'me@home.example → list@l.example', replyAll: 'me@home.example → list@l.example', replyList: 'me@home.example → list@l.example' }],
  ['list by the web', { to: [at('list@l.example')], listPost: ['https://l.example/post'] },
    { reply: 'me@home.example → anna@b.example', replyAll: 'me@home.example → anna@b.example, list@l.example', replyList: 'me@home.example → anna@b.example, list@l.example' }],
  ['my own', { from: [at('me@work.example')], to: [at('anna@b.example')], cc: [at('bob@c.example')], bcc: [at('carl@d.example')] },
    { reply: 'me@work.example → anna@b.example', replyAll: 'me@work.example → anna@b.example; bob@c.example; carl@d.example', replyList: 'me@work.example → anna@b.example; bob@c.example; carl@d.example' }],
  ['my own, blind only', { from: [at('me@work.example')], to: [], bcc: [at('carl@d.example')] },
    { reply: 'me@work.example → carl@d.example', replyAll: 'me@work.example → carl@d.example', replyList: 'me@work.example → carl@d.example' }],
  ['to myself', { from: [at('me@work.example')], to: [at('me@work.example')] }, { reply: 'me@work.example → me@work.example', replyAll: 'me@work.example → me@work.example', replyList: 'me@work.example → me@work.example' }],
  ['my own with Reply-To to me', { from: [at('me@work.example')], replyTo: [at('me@home.example')], to: [at('anna@b.example')] },
    { reply: 'me@work.example → anna@b.example', replyAll: 'me@work.example → anna@b.example', replyList: 'me@work.example → anna@b.example' }],
  ['author in Cc as well', { cc: [at('anna@b.example'), at('bob@c.example')] },
    { reply: 'me@home.example → anna@b.example', replyAll: 'me@home.example → anna@b.example; bob@c.example', replyList: 'me@home.example → anna@b.example; bob@c.example' }],
  ['the same twice', { to: [at('bob@c.example'), at('BOB@c.example'), at('me@home.example')], cc: [at('bob@c.example')] },
    { reply: 'me@home.example → anna@b.example', replyAll: 'me@home.example → anna@b.example, bob@c.example', replyList: 'me@home.example → anna@b.example, bob@c.example' }],
  ['no From', { from: null }, { reply: 'me@home.example → ', replyAll: 'me@home.example → ', replyList: 'me@home.example → ' }],
  ['IDN', { from: [at('jörg@müller.example')], to: [at('me@home.example'), at('a@xn--mller-kva.example')], cc: [at('a@müller.example')] },
    { reply: 'me@home.example → jörg@müller.example', replyAll: 'me@home.example → jörg@müller.example, a@xn--mller-kva.example', replyList: 'me@home.example → jörg@müller.example, a@xn--mller-kva.example' }],
  ['empty addresses', { to: [at('me@home.example'), at('')], cc: [at('')] }, { reply: 'me@home.example → anna@b.example', replyAll: 'me@home.example → anna@b.example', replyList: 'me@home.example → anna@b.example' }],
]

describe('answers', () => {
  test.each(SHAPES)('%s', (_, given, expected) => {
    const email = message(given)
    for (const kind of ['reply', 'replyAll', 'replyList'] as const) {
      const { to, cc, bcc } = recipients(kind, email, SENDERS)
      const lists = [to, cc, bcc].map(list => list.map(one => one.email).join(', '))
      while (lists.length > 1 && lists.at(-1) === '') lists.pop()
      expect(`${chooseFrom(email, SENDERS)?.from.email} → ${lists.join('; ')}`, kind).toBe(expected[kind])
    }
    expect(recipients('forward', email, SENDERS)).toEqual({ to: [], cc: [], bcc: [] })
  })

  test('names of senders', () => {
    expect(chooseFrom(message({ to: [at('me+x@home.example')] }), SENDERS)?.from).toEqual(at('me+x@home.example', 'Me'))
    expect(chooseFrom(message(), [])).toBeNull()
    expect(chooseFrom(message({ to: [at('other@x.example')] }), SENDERS, SENDERS[1])?.from.email).toBe('me@work.example')
    expect(senderOf('x@all.example', SENDERS)?.id).toBe('i3')
    expect(senderOf('x@none.example', SENDERS)).toBeNull()
  })

  test.each<[AnswerKind, string | null, string]>([
    ['reply', 'Plan', 'Re: Plan'], ['reply', 'Re: Plan', 'Re: Plan'], ['reply', 'RE: re: Plan', 'Re: Plan'], ['reply', 'AW: Plan', 'Re: Plan'],
    ['reply', 'Re[2]: Plan', 'Re: Plan'], ['reply', 'Sv: Antw: Plan', 'Re: Plan'], ['reply', 'Re：Plan', 'Re: Plan'], ['reply', null, 'Re:'], ['reply', '', 'Re:'],
    ['reply', 'Fwd: Plan', 'Re: Fwd: Plan'], ['reply', '[list] Re: Plan', '[list] Re: Plan'], ['reply', '[list] Plan', 'Re: [list] Plan'],
    ['reply', 'Reality: a plan', 'Re: Reality: a plan'], ['reply', 'a\r\n b', 'Re: a b'],
    ['forward', 'Plan', 'Fwd: Plan'], ['forward', 'Fwd: Plan', 'Fwd: Plan'], ['forward', 'FW: fwd: WG: Plan', 'Fwd: Plan'], ['forward', 'Re: Plan', 'Fwd: Re: Plan'], ['forward', null, 'Fwd:'],
  ])('%s of %j', (kind, subject, expected) => expect(subjectOf(kind, subject)).toBe(expected))

  test('threads', () => {
    expect(thread(message())).toEqual({ inReplyTo: ['one@b.example'], references: ['one@b.example'] })
    expect(thread(message({ references: ['a@x', 'b@x'] }))).toEqual({ inReplyTo: ['one@b.example'], references: ['a@x', 'b@x', 'one@b.example'] })
    expect(thread(message({ inReplyTo: ['a@x'] }))).toEqual({ inReplyTo: ['one@b.example'], references: ['a@x', 'one@b.example'] })
    expect(thread(message({ inReplyTo: ['a@x', 'b@x'] })).references).toEqual(['one@b.example'])
    expect(thread(message({ messageId: null, references: ['a@x'] }))).toEqual({ inReplyTo: null, references: ['a@x'] })
    expect(thread(message({ messageId: null }))).toEqual({ inReplyTo: null, references: null })
    const long = thread(message({ references: Array.from({ length: 80 }, (_, index) => `${index}@x`) })).references ?? []
    expect([long.length, long[0], long.at(-1), long[1]]).toEqual([50, '0@x', 'one@b.example', '32@x'])
  })

  test('what is quoted', () => {
    expect(attribution(message({ from: [at('anna@b.example')], sentAt: null, receivedAt: 'x' }))).toBe('anna@b.example wrote:')
    expect(attribution(message({ sentAt: '2026-11-26T10:46:00' }))).toBe('On 26 Nov 2026 at 10:46, Anna wrote:')
    expect(quotedText('reply', message({ sentAt: '2026-11-26T10:46:00' }), 'one\r\n\r\n> two\r\n-- \r\nAnna', false)).toBe('On 26 Nov 2026 at 10:46, Anna wrote:\n> one\n>\n>> two')
    expect(quotedText('reply', message(), ' a part ', true)).toBe('> a part')
    expect(quotedText('forward', message({ to: [at('me@home.example')] }), 'one\n', false)).toMatch(/^-{10} Forwarded message -{10}\nFrom: Anna <anna@b.example>\nDate: .*2026.*\nSubject: Plan\nTo: me@home.example\n\none$/)
    expect(quotedHTML('reply', message({ from: [at('a@b.example', '<img>')], sentAt: 'x', receivedAt: 'x' }), '<p>one</p>', false)).toBe('<div>&lt;img&gt; wrote:</div><blockquote type="cite"><p>one</p></blockquote>')
    expect(forwardHead(message({ subject: null, cc: [at('c@d.example')] })).map(([name]) => name)).toEqual(['From', 'Date', 'To', 'Cc'])
    expect(listAddress(['https://x.example', 'mailto:l@x.example'])).toEqual(at('l@x.example'))
    expect(listAddress(null)).toBeNull()
    for (const quoting of ['text', 'html']) {
      const quoted = quoting === 'text' ? quotedText('forward', message(), 'one', false) : quotedHTML('forward', message(), '<p>one</p>', false)
      expect(withoutForwarded(`mine\n\n${quoted}`)).toBe('mine')
    }
    expect(withoutForwarded('mine')).toBe('mine')
  })
})

describe('bodies', () => {
  test('quotes', () => {
    expect(quote('a\n> b\n\nc\n\n')).toBe('> a\n>> b\n>\n> c')
    expect(withoutSignature('a\n-- \nAnna')).toBe('a')
    expect(withoutSignature(`a\n-- \n${'x\n'.repeat(20)}`)).toContain('x')
    expect(unquoted('a\n> b\nc')).toBe('a\nc')
  })

  test.each<[string, string | null]>([
    ['see the attachment', 'attachment'], ['I have Attached it', 'Attached'], ['> it is attached', null], ['unattached', null], ['im Anhang', 'Anhang'], ['anbei die Liste', 'anbei'],
    ['nothing of it', null], ['pièce jointe', 'pièce jointe'], ['detachment', null],
  ])('attachment word in %j', (text, word) => expect(attachmentWord(text)).toBe(word))
  test('attachment word in the signature', () => expect(attachmentWord('Hello\n\n-- \nNo attachments, please', 'No attachments, please')).toBeNull())

  test.each<[string, Parameters<typeof assembleText>[0], string]>([
    ['new, none', { quoted: '', signature: '', quoting: 'top' }, '|'],
    ['new', { quoted: '', signature: 'Me\n', quoting: 'bottom' }, '|\n\n-- \nMe'],
    ['new, with dashes', { quoted: '', signature: '-- \nMe', quoting: 'top' }, '|\n\n-- \nMe'],
    ['top', { quoted: '> x', signature: 'Me', quoting: 'top' }, '|\n\nMe\n\n> x\n'],
    ['top, none', { quoted: '> x', signature: '', quoting: 'top' }, '|\n\n> x\n'],
    ['bottom', { quoted: '> x', signature: 'Me', quoting: 'bottom' }, '> x\n\n|\n\n-- \nMe'],
    ['bottom, none', { quoted: '> x', signature: '', quoting: 'bottom' }, '> x\n\n|'],
  ])('assembled: %s', (_, parts, expected) => {
    const { text, cursor } = assembleText(parts)
    expect(`${text.slice(0, cursor)}|${text.slice(cursor)}`).toBe(expected)
  })

  test.each<[string, string, string, string]>([
    ['hi\n\n-- \nMe', 'Me', 'You', 'hi\n\n-- \nYou'],
    ['hi\n\n-- \nMe', 'Me', '', 'hi'],
    ['hi', '', 'You', 'hi\n\n-- \nYou'],
    ['hi\n\n> x\n', '', 'You', 'hi\n\n> x\n'],
    ['hi\n\nMe\n\n> x\n', 'Me', 'You', 'hi\n\nYou\n\n> x\n'],
    ['changed', 'Me', 'You', 'changed'],
    ['hi\n\n-- \nMe', 'Me', 'Me', 'hi\n\n-- \nMe'],
  ])('signature of %j from %j to %j', (text, before, after, expected) => expect(exchangeSignature(text, before, after)).toBe(expected))

  test('assembled HTML', () => {
    expect(assembleHTML({ quoted: '', signature: '<b>Me</b>', quoting: 'top' })).toBe('<div data-cursor=""><br></div><div><br></div><div class="signature"><b>Me</b></div>')
    expect(assembleHTML({ quoted: '<p>x</p>', signature: '', quoting: 'bottom' })).toBe('<p>x</p><div><br></div><div data-cursor=""><br></div>')
  })

  test.each<[string, string]>([
    ['a\nb', '<div>a</div><div>b</div>'],
    ['a  b <c>', '<div>a\u00a0 b &lt;c&gt;</div>'],
    ['> a\n>> b\nc', '<blockquote type="cite"><div>a</div><blockquote type="cite"><div>b</div></blockquote></blockquote><div>c</div>'],
    ['see https://x.example/a?b&c.', '<div>see <a href="https://x.example/a?b&amp;c">https://x.example/a?b&amp;c</a>.</div>'],
    ['', '<div><br></div>'],
  ])('text to HTML: %j', (text, html) => expect(textToHTML(text)).toBe(html))

  test.each<[string, string]>([
    ['<div>a</div><div>b</div>', 'a\nb'],
    ['<p>a</p><p>b</p>', 'a\n\nb'],
    ['a<br>b<br><br>c', 'a\nb\n\nc'],
    ['<div><br></div><div>x</div>', 'x'],
    ['<div>a</div><div><br></div><div>b</div>', 'a\n\nb'],
    ['  a \n b  ', 'a b'],
    ['<b>a</b> <i>b</i>', 'a b'],
    ['<ul><li>a</li><li>b<ul><li>c</li></ul></li></ul>', '* a\n* b\n  * c'],
    ['<ol start="3"><li>a</li><li>b</li></ol>', '3. a\n4. b'],
    ['<ol><li>a<br>b</li></ol>', '1. a\n   b'],
    ['<blockquote>a<blockquote>b</blockquote></blockquote>c', '> a\n>> b\nc'],
    ['<a href="https://x.example/">https://x.example</a> <a href="https://y.example/p">here</a>', 'https://x.example here <https://y.example/p>'],
    ['<a href="mailto:a@b.example">a@b.example</a>', 'a@b.example'],
    ['<pre>a\n  b</pre>', 'a\n  b'],
    ['<table><tr><td>a</td><td>b</td></tr><tr><td>c</td><td>d</td></tr></table>', 'a\tb\nc\td'],
    ['<img alt="cat"><img>', '[cat]'],
    ['<style>x</style><script>y</script>z', 'z'],
    ['a&nbsp;&nbsp;b', 'a  b'],
    ['<h1>T</h1><div>a</div>', 'T\n\na'],
    ['a<hr>b', `a\n${'-'.repeat(30)}\nb`],
  ])('HTML to text: %j', (html, text) => expect(htmlToText(html)).toBe(text))

  test('HTML to text of deep nesting ends', () => expect(htmlToText(`${'<div>'.repeat(2000)}x`)).toBe('x'))

  test('there and back', () => {
    for (const text of ['a\nb\n\nc', '> a\n> b\n\nc', 'x  y\n  z', '1 < 2 & 3'])
      expect(htmlToText(textToHTML(text))).toBe(text.trim())
  })

  test('what plain text would lose', () => {
    expect(isFormatted('<div>a</div><blockquote><b>x</b></blockquote>')).toBe(false)
    expect(isFormatted('<div><b>a</b></div>')).toBe(true)
    expect(isFormatted('<a href="https://x.example">https://x.example</a>')).toBe(false)
    expect(isFormatted('<a href="https://x.example">here</a>')).toBe(true)
  })
})

describe('times', () => {
  const noon = new Date(2026, 10, 26, 11, 30)  // a Thursday
  test('choices', () => {
    expect(moments(noon).map(one => `${one.title} ${writeLocal(one.time)}`)).toEqual([
      'In an hour 2026-11-26T12:30', 'This afternoon 2026-11-26T14:00', 'This evening 2026-11-26T18:00', 'Tomorrow morning 2026-11-27T09:00',
      'Tomorrow at this time 2026-11-27T11:30', 'Monday morning 2026-11-30T09:00',
    ])
    expect(moments(new Date(2026, 10, 29, 20, 0)).map(one => one.title)).toEqual(['In an hour', 'Tomorrow morning', 'Tomorrow at this time'])
    expect(moments(new Date(2026, 11, 31, 23, 30)).at(0)?.time.getFullYear()).toBe(2027)
  })

  test('fields', () => {
    expect(parseLocal('2026-11-26T11:30')).toEqual(noon)
    expect(parseLocal('2026-02-31T11:30')).toBeNull()
    expect(parseLocal('')).toBeNull()
    expect(flawOfTime(null, noon)).not.toBeNull()
    expect(flawOfTime(new Date(noon.getTime() - 1), noon)).toMatch(/over/)
    expect(flawOfTime(new Date(noon.getTime() + 61 * 86_400_000), noon)).toMatch(/60 days/)
    expect(flawOfTime(new Date(noon.getTime() + 59 * 86_400_000), noon)).toBeNull()
    expect(flawOfTime(new Date(noon.getTime() + 3 * 86_400_000), noon, 86400)).toMatch(/1 days?/)
    expect(holdFor(new Date(noon.getTime() + 10_400), noon)).toBe(10)
  })

  test('spoken', () => {
    expect(spoken(new Date(2026, 10, 26, 14), noon)).toBe('today 14:00')
    expect(spoken(new Date(2026, 10, 27, 9), noon)).toBe('tomorrow 09:00')
    expect(spoken(new Date(2026, 10, 30, 9), noon)).toBe('Monday 09:00')
    expect(spoken(new Date(2027, 0, 4, 9), noon)).toBe('Mon, 4 Jan 2027 09:00')
  })
})

describe('drafts', () => {
  const draft: Draft = {
    ...EMPTY, from: at('me@home.example', 'Me'), to: [at('anna@b.example', 'Anna')], bcc: [at('carl@d.example')], subject: 'Plan', body: 'Hello\n',
    inReplyTo: ['one@b.example'], references: ['one@b.example'], answer: { kind: 'replyAll', emailId: 'M1' }, tls: 'require',
  }
  const file = { key: 'a1', name: 'a.pdf', type: 'application/pdf', size: 10, blobId: 'B1', cid: null, isForwarded: false, isIncluded: true }
  const image = { ...file, key: 'a2', name: 'x.png', type: 'image/png', blobId: 'B2', cid: 'i1@moxpy' }
  const saving = { mailboxId: 'F1', final: false, messageId: 'draft@home.example', window: 'w1', wrap: (html: string) => `<html>${html}</html>` }

  test('plain text', () => {
    const made = toEmail(draft, saving)
    expect(made).toMatchObject({
      mailboxIds: { F1: true }, keywords: { $draft: true, $seen: true }, bcc: [{ name: null, email: 'carl@d.example' }], textBody: [{ partId: 'text', type: 'text/plain' }],
      bodyValues: { text: { value: 'Hello\n' } }, messageId: ['draft@home.example'], 'header:X-Moxpy-Draft:asText': 'window=w1; answer=replyAll; of=M1; tls=require',
    })
    expect(made).not.toHaveProperty('cc')
    expect(toEmail(draft, { ...saving, final: true })).not.toHaveProperty('header:X-Moxpy-Draft:asText')
    expect(toEmail({ ...draft, tls: 'insecure' }, { ...saving, final: true })['header:TLS-Required:asText']).toBe('No')
  })

  test('parts', () => {
    const html = '<b>Hello</b><img src="cid:i1@moxpy">'
    const made = toEmail({ ...draft, mode: 'html', body: html, attachments: [file, image, { ...file, key: 'a3', blobId: null }, { ...file, key: 'a4', isIncluded: false }] }, saving)
    expect(made).toMatchObject({
      textBody: [{ partId: 'text', type: 'text/plain' }], htmlBody: [{ partId: 'html', type: 'text/html' }],
      attachments: [
        { blobId: 'B1', type: 'application/pdf', name: 'a.pdf', disposition: 'attachment' },
        { blobId: 'B2', type: 'image/png', name: 'x.png', disposition: 'inline', cid: 'i1@moxpy' },
      ],
    })
    expect(made.bodyValues).toEqual({ text: { value: 'Hello' }, html: { value: `<html>${html}</html>` } })
    expect(included({ ...draft, mode: 'html', body: 'no image', attachments: [image] })).toEqual([])
    expect(included({ ...draft, mode: 'text', attachments: [image] })).toEqual([])
  })

  test('restored', () => {
    const part = (given: object) => ({ partId: '1', blobId: 'B9', size: 3, name: null, type: 'text/plain', charset: 'utf-8', disposition: null, cid: null, language: null, location: null, ...given })
    const email = {
      id: 'M9', from: [...[draft.from]], to: [...draft.to], cc: null, bcc: [...draft.bcc], replyTo: null, subject: 'Plan', inReplyTo: ['one@b.example'], references: ['one@b.example'],
      textBody: [part({})], htmlBody: [part({})], bodyValues: { 1: { value: 'Hello\n', isEncodingProblem: false, isTruncated: false } },
      attachments: [part({ partId: '2', name: 'a.pdf', type: 'application/pdf' })], 'header:X-Moxpy-Draft:asText': writeNotes(draft, 'w1'),
    }
    const { attachments, ...rest } = fromEmail(email, at('x@x.example'))
    const { attachments: _, ...expected } = draft
    expect(rest).toEqual(expected)
    expect(attachments.map(one => [one.name, one.blobId, one.cid])).toEqual([['a.pdf', 'B9', null]])
    const html = fromEmail({ ...email, htmlBody: [part({ partId: '3', type: 'text/html' })], bodyValues: { 3: { value: '<img src="cid:i1">', isEncodingProblem: false, isTruncated: false } },
      attachments: [part({ type: 'image/png', cid: 'i1' }), part({ type: 'image/png', cid: 'i2' })] }, at('x@x.example'))
    expect([html.mode, html.attachments.map(one => one.cid)]).toEqual(['html', ['i1', null]])
  })

  test.each<[string | null, unknown]>([
    ['answer=reply; of=M1', { answer: { kind: 'reply', emailId: 'M1' }, tls: 'default' }], [null, { answer: null, tls: 'default' }],
    ['answer=eat; of=M1; tls=insecure', { answer: null, tls: 'insecure' }], ['answer=reply; of=<x>', { answer: null, tls: 'default' }],
  ])('notes %j', (text, expected) => expect(readNotes(text)).toEqual(expected))
})

test.each<[string, string]>([
  ['<div>Hello&nbsp;<b>bold</b>&nbsp;red</div>', '<div>Hello <b>bold</b> red</div>'],
  ['<div>Hello <b>bold&nbsp;</b>red</div>', '<div>Hello <b>bold </b>red</div>'],
  // What was meant, or would be lost, stays.
  ['<div>10&nbsp;km</div><div>&nbsp;<b>x</b>&nbsp;</div>', '<div>10&nbsp;km</div><div>&nbsp;<b>x</b>&nbsp;</div>'],
  ['<div>a&nbsp;&nbsp;<b>b</b>&nbsp;!</div>', '<div>a&nbsp;&nbsp;<b>b</b>&nbsp;!</div>'],
  ['<div>a&nbsp;<br>b&nbsp;</div><div>c</div>', '<div>a&nbsp;<br>b&nbsp;</div><div>c</div>'],
  ['<pre>a&nbsp;<b>b</b></pre>', '<pre>a&nbsp;<b>b</b></pre>'],
])('spaces of %j', (html, plain) => {
  expect(exported(html)).toBe(plain)
})
