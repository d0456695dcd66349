// Webmail's pure parts: searches, lists of which parts are known, threads, texts, addresses of places.
import { describe, expect, it } from 'vitest'
import type { Filter, Mailbox } from '../src/api/jmap/types'
import { keyText } from '../src/webmail/help'
import { KEYS, keyOf, nameOfKey, tipOf } from '../src/webmail/keys'
import { deliveries, isLate, summary } from '../src/webmail/delivery'
import { ordered } from '../src/webmail/mailboxes'
import { mailboxes } from '../src/webmail/model'
import { marked } from '../src/webmail/marks'
import { letterHeight, wantsImages } from '../src/webmail/message'
import { isIn, keywordPath, labelProblem, ownOf, patched, reverse } from '../src/webmail/actions'
import { badged, fresh } from '../src/webmail/news'
import { surplus } from '../src/webmail/offline'
import { mailtoOf, parsePlace, placeHref, withWriting, writingOf } from '../src/webmail/place'
import { moment, pack, parse, QueryProblem, TAGS, toFilter, type Tag, type Term } from '../src/webmail/query'
import { Rows, tree, type Unfolded } from '../src/webmail/rows'
import { lastPart, suggestions } from '../src/webmail/search'
import { SparseList } from '../src/webmail/sparse'
import { blocks, pieces, repetition } from '../src/webmail/text'
import { longTime, middleTime, shortTime } from '../src/webmail/times'

/** Numbers that are the same in every run. */
function dice(seed: number) {
  let now = seed
  return (below: number) => {
    now = (Math.imul(now, 1103515245) + 12345) & 0x7fffffff
    return Math.floor((now / 0x7fffffff) * below) % below
  }
}

const word = (value: string, not = false): Term => ({ tag: 'word', not, value })
const tagged = (tag: Tag, value: string, not = false): Term => ({ tag, not, value })

describe('search', () => {
  it.each<[string, Term[]]>([
    ['', []],
    ['one two', [word('one'), word('two')]],
    ['"one two"', [word('one two')]],
    ['"say ""hi"""', [word('say "hi"')]],
    ['-one', [word('one', true)]],
    ['- one', [word('-'), word('one')]],
    ['from:ann@x.example', [tagged('from', 'ann@x.example')]],
    ['f:ann t:bob s:hi l:work a:pdf', [tagged('from', 'ann'), tagged('to', 'bob'), tagged('subject', 'hi'), tagged('label', 'work'), tagged('attachments', 'pdf')]],
    ['-from:ann', [tagged('from', 'ann', true)]],
    ['subject:"two words"', [tagged('subject', 'two words')]],
    ['header:X-A:b', [tagged('header', 'X-A:b')]],
    ['mb:', [tagged('mailbox', '')]],
    ['mb:"Lists/My list"', [tagged('mailbox', 'Lists/My list')]],
    ['-mb:Inbox', [word('mb:Inbox', true)]],
    ['http://x.example', [word('http://x.example')]],
    ['unknown:thing', [word('unknown:thing')]],
    ['"from:ann"', [word('from:ann')]],
    ['from:', [word('from:')]],
    ['"open quote', [word('open quote')]],
    ['FROM:Ann', [tagged('from', 'Ann')]],
  ])('reads %j', (text, terms) => { expect(parse(text)).toEqual(terms) })

  it('reads what it writes', () => {
    const letters = ['a', 'b', '"', ' ', ':', '-', 'f', 'rom', 'mb', '\\', 'é', '\t', '']
    for (let seed = 0; seed < 1500; seed += 1) {
      const roll = dice(seed), tags = Object.keys(TAGS) as Tag[]
      const terms = Array.from({ length: roll(5) }, (): Term => {
        const tag = tags[roll(tags.length)] ?? 'word', value = Array.from({ length: roll(6) }, () => letters[roll(letters.length)]).join('')
        return { tag, not: TAGS[tag].not && roll(2) === 1, value: tag === 'word' && value === '' ? 'w' : value }
      })
      expect(parse(pack(terms)), `${seed}: ${pack(terms)}`).toEqual(terms)
    }
  })

  const box = (id: string, name: string, parentId: string | null = null, role: Mailbox['role'] = null) => ({ id, name, parentId, role, sortOrder: 0 }) as Mailbox
  const lists = box('F7', 'Lists'), python = box('F8', 'Python', 'F7'), inbox = box('F1', 'Inbox', null, 'inbox')
  const names = new Map([['Inbox', inbox], ['Lists', lists], ['Lists/Python', python]])
  it.each<[string, Filter]>([
    ['hello', { operator: 'AND', conditions: [{ text: 'hello' }, { inMailboxOtherThan: ['F5', 'F6'] }] }],
    ['mb: hello', { text: 'hello' }],
    ['mb:inbox', { inMailbox: 'F1' }],
    ['submb:Lists', { operator: 'OR', conditions: [{ inMailbox: 'F7' }, { inMailbox: 'F8' }] }],
    ['mb: to:bob', { operator: 'OR', conditions: [{ to: 'bob' }, { cc: 'bob' }, { bcc: 'bob' }] }],
    ['mb: -subject:no', { operator: 'NOT', conditions: [{ subject: 'no' }] }],
    ['mb: a:zip', { attachmentType: 'archive' }],
    ['mb: a:any', { hasAttachment: true }],
    ['mb: h:X-A', { header: ['X-A'] }],
    ['mb: h:X-A:b:c', { header: ['X-A', 'b:c'] }],
    ['mb: minsize:2k', { minSize: 2048 }],
    ['mb: maxsize:2k', { maxSize: 2049 }],
    ['mb: is:unread', { notKeyword: '$seen' }],
    ['mb: label:Work', { hasKeyword: 'work' }],
    ['mb:', { operator: 'AND', conditions: [] }],
  ])('asks %j', (text, filter) => { expect(toFilter(parse(text), names, ['F5', 'F6'])).toEqual(filter) })

  it.each(['mb:nowhere', 'start:yesterday', 'end:2026-02-30', 'minsize:big', 'a:song', 'is:nice'])('says what is wrong with %j', text => {
    expect(() => toFilter(parse(text), names, [])).toThrow(QueryProblem)
  })

  it('takes days whole', () => {
    const span = (text: string) => (new Date(moment(text, true)).getTime() - new Date(moment(text, false)).getTime()) / 1000
    expect([span('2026-11-26'), span('2026-11-26T09:30'), span('2026-11-26 09:30:15')]).toEqual([86400, 60, 1])
  })

  it.each<[string, ReturnType<typeof lastPart>]>([
    ['', { before: '', tag: null, not: false, value: '' }],
    ['ann', { before: '', tag: null, not: false, value: 'ann' }],
    ['one from:an', { before: 'one ', tag: 'from', not: false, value: 'an' }],
    ['-f:an', { before: '', tag: 'from', not: true, value: 'an' }],
    ['mb:"My li', { before: '', tag: 'mailbox', not: false, value: 'My li' }],
    ['"a b" x:y', { before: '"a b" ', tag: null, not: false, value: 'x:y' }],
  ])('knows what is typed in %j', (text, part) => { expect(lastPart(text)).toEqual(part) })

  it('suggests', () => {
    const known = { mailboxes: [['Inbox', 'inbox'], ['Lists/Python', 'folder']] as const, labels: ['work'], recent: ['from:bob'] }
    const fields = (text: string) => suggestions(text, known).map(one => one.field)
    expect(fields('')).toEqual(['from:bob'])
    expect(fields('x mb:py')).toEqual(['x mb:Lists/Python'])
    expect(fields('wo')).toEqual(['label:work'])
    expect(fields('att')).toEqual(['attachments:'])
    expect(fields('a:p')).toEqual(['attachments:pdf', 'attachments:presentation'])
  })
})

describe('SparseList', () => {
  it('follows a list of the server whatever happens', () => {
    for (let seed = 0; seed < 120; seed += 1) {
      const roll = dice(seed), mine = new SparseList()
      let real = Array.from({ length: 20 + roll(60) }, (_, index) => `m${index}`), next = 1000
      const fetch = (from: number, to: number) => mine.fill(from, real.slice(from, to), real.length)
      fetch(0, 10)
      for (let turn = 0; turn < 12; turn += 1) {
        const at = roll(real.length || 1)
        if (roll(2) === 0) fetch(at, at + roll(15))
        const before = real
        real = [...real]
        for (let change = roll(4); change > 0; change -= 1) {
          if (roll(2) === 0 && real.length > 0) real.splice(roll(real.length), 1)
          else real.splice(roll(real.length + 1), 0, `m${next++}`)
        }
        // Sometimes it was taken out here first.
        if (roll(3) === 0) mine.drop(before.filter(id => !real.includes(id)).slice(0, 1))
        mine.apply({
          removed: before.filter(id => !real.includes(id)), added: real.map((id, index) => ({ id, index })).filter(({ id }) => !before.includes(id)), total: real.length,
        })
        expect(mine.length).toBe(real.length)
        // Whatever counts as known is right.
        for (let index = 0; index < real.length; index += 1) if (mine.missing(index, index + 1) === null) expect(mine.at(index), `seed ${seed}, turn ${turn}, place ${index}`).toBe(real[index])
        for (const id of mine.known()) expect(mine.at(mine.indexOf(id))).toBe(id)
      }
      // And can be made known.
      for (let missing = mine.missing(0, real.length); missing; missing = mine.missing(0, real.length)) fetch(missing[0], missing[1])
      expect(mine.known()).toEqual(real)
    }
  })

  it('puts back what was not taken out after all', () => {
    const list = new SparseList()
    list.fill(0, ['a', 'b', 'c', 'd', 'e'], 5)
    const gone = list.drop(['d', 'a', 'b'])
    expect(list.known()).toEqual(['c', 'e'])
    for (const [id, place] of gone.reverse()) list.putBack(id, place)
    expect(list.known()).toEqual(['a', 'b', 'c', 'd', 'e'])
  })

  it('shows old ids until new ones are there', () => {
    const list = new SparseList()
    list.fill(0, ['a', 'b', 'c'], 3)
    list.age()
    expect([list.known(), list.missing(0, 3)]).toEqual([['a', 'b', 'c'], [0, 3]])
    list.fill(0, ['c', 'a'], 2)
    expect([list.known(), list.missing(0, 2)]).toEqual([['c', 'a'], null])
  })
})

describe('rows', () => {
  const list = ['a', 'b', 'c', 'd'], rowsOf = (unfolded: Unfolded[]) => new Rows(4, at => list[at], id => list.indexOf(id), id => id === 'a' ? ['a1'] : [], unfolded)
  const member = (id: string) => ({ id, depth: 0, link: 'none' as const })

  it('are those of the list where nothing is unfolded', () => {
    const rows = rowsOf([])
    expect([rows.length, rows.at(0)?.hidden, rows.at(3)?.id, rows.indexOf('c'), rows.at(4)]).toEqual([4, ['a1'], 'd', 2, undefined])
  })

  it('grow by the messages of unfolded threads', () => {
    const rows = rowsOf([{ position: 1, members: ['b2', 'b', 'b3'].map(member) }, { position: 3, members: ['d', 'd2'].map(member) }])
    const ids = Array.from({ length: rows.length }, (_, index) => rows.at(index)?.id)
    expect(ids).toEqual(['a', 'b2', 'b', 'b3', 'c', 'd', 'd2'])
    for (const [index, id] of ids.entries()) expect(rows.indexOf(id ?? '')).toBe(index)
    expect([rows.at(1)?.isFirst, rows.at(2)?.isFirst, rows.at(4)?.isMember]).toEqual([true, false, false])
  })

  it('show threads as trees', () => {
    const parents: Record<string, string[]> = { b: ['a'], c: ['b', 'a'], d: ['x', 'a'], e: [], f: ['gone'] }
    const known = (id: string) => ({ threadParentIds: parents[id] ?? [], threadMissingLink: id === 'f' })
    expect(tree(['a', 'b', 'd', 'c', 'e', 'f'], known).map(({ id, depth, link }) => `${id}${depth}${link}`)).toEqual(['a0none', 'b1reply', 'c2reply', 'd1reply', 'e1subject', 'f1missing'])
  })

  it('are not led round in rings', () => {
    const parents: Record<string, string[]> = { a: ['b'], b: ['a'], c: ['c'] }
    expect(tree(['a', 'b', 'c'], id => ({ threadParentIds: parents[id] ?? [], threadMissingLink: false })).map(({ id }) => id).sort()).toEqual(['a', 'b', 'c'])
  })
})

it('puts mailboxes in order', () => {
  const box = (id: string, name: string, role: string | null = null, parentId: string | null = null) => ({ id, name, role, parentId, sortOrder: 0 }) as Mailbox
  const all = [box('1', 'Zebra'), box('2', 'Trash', 'trash'), box('3', 'Inbox', 'inbox'), box('4', 'apples 10'), box('5', 'apples 9'), box('6', 'Sub', null, '4'), box('7', 'New people'), box('8', 'Sent', 'sent'),
    box('9', 'Lost', null, 'nowhere')]
  expect(ordered(all, '7').map(({ box: { name }, depth }) => `${depth} ${name}`))
    .toEqual(['0 Inbox', '0 New people', '0 Sent', '0 Trash', '0 apples 9', '0 apples 10', '1 Sub', '0 Lost', '0 Zebra'])
})

describe('plain text', () => {
  it('is in blocks by depth of quoting', () => {
    expect(blocks('Hi\n> one\n> two\n>> deep\n> > deep, too\nBye\n-- \nMe\n')).toEqual([
      { depth: 0, text: 'Hi', isSignature: false }, { depth: 1, text: 'one\ntwo', isSignature: false }, { depth: 2, text: 'deep\ndeep, too', isSignature: false },
      { depth: 0, text: 'Bye', isSignature: false }, { depth: 0, text: '-- \nMe', isSignature: true },
    ])
  })

  it('hides what was said before only behind something new', () => {
    const quote = Array.from({ length: 8 }, (_, index) => `> line ${index}`).join('\n')
    const from = (text: string) => repetition(blocks(text))
    expect([from(`Yes.\n\n${quote}\n`), from(`${quote}\n\nYes.\n`), from(quote), from('Yes.\n> short')]).toEqual([1, 2, 1, 2])
  })

  it.each<[string, string[]]>([
    ['see https://x.example/a?b=(c).', ['https://x.example/a?b=(c)']],
    ['(https://x.example/)', ['https://x.example/']],
    ['www.x.example, and me@x.example!', ['https://www.x.example', 'mailto:me@x.example']],
    ['javascript:alert(1) data:text/html,x', []],
    ['<https://x.example/a>', ['https://x.example/a']],
    ['HTTP://X.EXAMPLE', ['HTTP://X.EXAMPLE']],
  ])('links %j', (text, links) => {
    const found = pieces(text)
    expect(found.map(one => one.text).join('')).toBe(text)
    expect(found.flatMap(one => one.href ?? [])).toEqual(links)
  })
})

it('marks what was found, and nothing else', () => {
  expect(marked('a &lt;b&gt; <mark>x &amp; y</mark> <img src=x>')).toEqual([
    { text: 'a <b> ', isFound: false }, { text: 'x & y', isFound: true }, { text: ' <img src=x>', isFound: false },
  ])
})

it.each<[string, boolean]>([
  ['<img src="https://x.example/a.png">', true],
  ['<img src="cid:a"><a href="https://x.example/a.png">b</a>', false],
  ['<td background=//x.example/a.gif>', true],
  ['<p style="background: url(https://x.example/a)">', true],
  ['<p>https://x.example/</p>', false],
])('knows that %s wants something from elsewhere: %s', (html, wants) => { expect(wantsImages(html)).toBe(wants) })

describe('changes', () => {
  const head = { id: 'm', mailboxIds: { F1: true }, keywords: { $seen: true }, muted: false } as never
  it.each([
    [{ 'keywords/$seen': null }, { 'keywords/$seen': true }],
    [{ 'keywords/$flagged': true }, { 'keywords/$flagged': null }],
    [{ mailboxIds: { F2: true }, 'keywords/$seen': true }, { mailboxIds: { F1: true }, 'keywords/$seen': true }],
    [{ muted: true }, { muted: false }],
    [{ [keywordPath('a/b~')]: true }, { 'keywords/a~1b~0': null }],
  ])('%j can be taken back', (patch, back) => {
    expect(reverse(head, patch)).toEqual(back)
    expect(patched(patched(head, patch), back)).toEqual(head)
  })

  it('leave a list when they lead out of its mailboxes', () => {
    const here = (filter: Filter) => isIn(filter, { mailboxIds: { F1: true } })
    expect([here({ inMailbox: 'F1' }), here({ inMailbox: 'F2' }), here({ inMailboxOtherThan: ['F1'] }), here({ text: 'x' }), here({ operator: 'AND', conditions: [{ inMailbox: 'F2' }, { text: 'x' }] }),
      here({ operator: 'OR', conditions: [{ inMailbox: 'F1' }, { inMailbox: 'F2' }] }), here({ operator: 'NOT', conditions: [{ inMailbox: 'F1' }] })]).toEqual([true, false, false, true, false, true, true])
  })

  it.each([['work', true], ['two words', false], ['$seen', false], ['été', false], ['', false], ['junk', false], ['a*', false]])('a label may be called %j: %s', (name, may) => {
    expect(labelProblem(name) === null).toBe(may)
  })
})

describe('places', () => {
  it.each([
    { mailbox: 'Inbox', search: null, email: null }, { mailbox: 'Lists/Python, etc', search: null, email: 'M12' }, { mailbox: '', search: 'from:"a, b" 50%', email: 'M1' },
    { mailbox: '', search: null, email: null }, { mailbox: 'Größe & mehr#', search: null, email: null },
  ])('%j has an address', place => { expect(parsePlace(placeHref(place))).toEqual(place) })

  it('tells a mailbox that is called like a search', () => {
    expect(parsePlace(placeHref({ mailbox: 'search it', search: null, email: null }))).toEqual({ mailbox: '', search: 'mb:"search it"', email: null })
  })

  it.each<[string, string | null, string]>([
    ['#Inbox', 'M5', '#Inbox,,compose:M5'], ['#Inbox,M1', 'M5', '#Inbox,M1,compose:M5'], ['#search a%2Cb,M1', 'M5', '#search a%2Cb,M1,compose:M5'], ['#Inbox,M1', null, '#Inbox,M1'],
  ])('%s and the draft %s are %s', (address, draft, whole) => {
    expect(withWriting(address, draft)).toBe(whole)
    expect([writingOf(whole), parsePlace(whole)]).toEqual([draft, parsePlace(address)])
  })

  it('knows what to write to whom', () => {
    expect([mailtoOf('#compose%20mailto%3Aa%40x.example%3Fsubject%3Dhi'), mailtoOf('#compose mailto:a@x.example'), mailtoOf('#Inbox')]).toEqual(['mailto:a@x.example?subject=hi', 'mailto:a@x.example', null])
  })
})

it.each([['2026-11-26T14:05:00', '14:05'], ['2026-11-25T23:59:00', 'Wed'], ['2026-11-03T10:00:00', '3 Nov'], ['2024-11-03T10:00:00', '3 Nov 2024'], ['2026-11-28T10:00:00', '28 Nov']])('says %s as %s', (time, said) => {
  expect(shortTime(new Date(time), new Date('2026-11-26T15:00:00'))).toBe(said)
})

it('tells times with the clock', () => {
  const now = new Date('2026-11-26T15:00:00'), of = (time: string) => [longTime(new Date(time), now), middleTime(new Date(time), now)]
  expect(of('2026-11-26T14:05:00')).toEqual(['Today, 14:05', '14:05'])
  expect(of('2026-11-24T14:05:00')).toEqual(['Tue 24 Nov, 14:05', 'Tue 14:05'])
  expect(of('2026-11-03T14:05:00')).toEqual(['Tue 3 Nov, 14:05', '3 Nov'])
  expect(of('2024-11-03T14:05:00')).toEqual(['3 Nov 2024, 14:05', '3 Nov 2024'])
})

it.each([['ctrl+ArrowDown', 'Ctrl ↓'], ['j', 'j'], ['ctrl+shift+Enter', 'Ctrl Enter'], [' ', 'Space'], ['alt+J', 'Alt J'], ['ctrl+ ', 'Ctrl Space']])('writes the key %j as %s', (key, said) => { expect(keyText(key)).toBe(said) })

it.each<[KeyboardEventInit, string]>([
  [{ key: 'j' }, 'j'], [{ key: 'J', shiftKey: true }, 'J'], [{ key: 'End', shiftKey: true }, 'shift+End'], [{ key: 'a', metaKey: true }, 'ctrl+a'],
  [{ key: '∆', altKey: true, code: 'KeyJ' }, 'alt+j'], [{ key: 'Ô', altKey: true, shiftKey: true, code: 'KeyJ' }, 'alt+J'], [{ key: 'j', altKey: true, code: 'KeyJ' }, 'alt+j'],
])('names the key %j', (init, name) => { expect(nameOfKey(new KeyboardEvent('keydown', init))).toBe(name) })

it('knows the key of a button by its title', () => {
  expect([keyOf('Archive (a)'), keyOf('Go to (Ctrl K)'), keyOf('Archive'), keyOf('(a) first')]).toEqual(['a', 'Ctrl K', null, null])
})

it.each<[string, string | undefined]>([
  ['<p>Hello</p><p>Yes.</p>', '9.5rem'],
  ['<div>Hello<br>there</div>', '7.5rem'],
  [`<p>${'word '.repeat(20)}</p>`, '10.25rem'],
  ['<p>Hello</p><img src="cid:1">', undefined],
  ['<p style="margin: 0 0 500px">Hello</p>', undefined],
  [`<p>${'word '.repeat(300)}</p>`, undefined],
])('knows how high %j is', (html, height) => { expect(letterHeight(html)).toBe(height) })

it.each<[number, number, string[]]>([[3, 100, []], [2, 100, ['old']], [0, 100, ['new', 'middle', 'old']], [3, 40, []], [3, 39, ['old']], [3, 29, ['middle', 'old']], [3, 5, ['new', 'middle', 'old']]])(
  'keeps at most %d things of %d octets', (most, octets, gone) => {
    const all = ([['old', 1, 10], ['new', 3, 10], ['middle', 2, 20]] as const).map(([key, at, size]) => [key, { at, octets: size }] as const)
    expect(surplus(all, most, octets)).toEqual(gone)
  })

it('leaves own copies where they are, when all that is found moves', () => {
  mailboxes.value = [{ id: 'F1', role: 'inbox' }, { id: 'F2', role: 'sent' }, { id: 'F3', role: 'drafts' }] as Mailbox[]
  const all = (filter: Filter) => ({ query: { filter, sort: [], collapseThreads: false }, total: 9 })
  expect([ownOf(all({ text: 'x' })), ownOf(all({ inMailbox: 'F2' })), ownOf(['M1'])]).toEqual([['F2', 'F3'], ['F3'], []])
  mailboxes.value = []
})

it('tells what became of a message', () => {
  const status = (delivered: 'yes' | 'no' | 'queued' | 'unknown', smtpReply: string) => ({ delivered, smtpReply, displayed: 'unknown' as const })
  const first = { sendAt: '2026-01-01T00:00:00Z', undoStatus: 'final' as const, deliveryStatus: { 'a@x': status('no', '550 no'), 'b@x': status('yes', '250 ok') } }
  const again = { sendAt: '2026-01-02T00:00:00Z', undoStatus: 'final' as const, deliveryStatus: { 'a@x': status('queued', '450 later') } }
  const found = deliveries([again, first, { ...again, sendAt: '2026-01-03T00:00:00Z', undoStatus: 'canceled' }])
  expect(found).toEqual([{ email: 'a@x', how: 'queued', reply: '450 later' }, { email: 'b@x', how: 'yes', reply: '250 ok' }])
  const later = Date.parse(again.sendAt) + 180_000
  expect([isLate(again, later), isLate(again, later - 120_000), isLate(first, later), isLate({ ...again, undoStatus: 'pending' }, later)]).toEqual([true, false, false, false])
  expect([summary(found), summary(deliveries([first])), summary(found.slice(1))]).toEqual(['queued', 'no', 'yes'])
})

it('tells what a thing does', () => {
  document.body.innerHTML = '<button title="Archive (a)"><span>x</span></button><input aria-label="Search mail"><a href="#x"> Sent </a><p></p>'
  expect([...document.querySelectorAll('span, input, a, p')].map(tipOf)).toEqual(['Archive (a)', 'Search mail', 'Sent', 'Press ? for all keys'])
})

it.each([[[3, 1], [4, 2], 1], [[3, 1], [3, 2], 0], [[3, 1], [2, 0], 0], [[3, 1], [4, 1], 0], [[0, 0], [7, 5], 5]])('counts what is new from %j to %j', ([all = 0, unread = 0], [allNow = 0, unreadNow = 0], number) => {
  expect(fresh({ totalEmails: all, unreadEmails: unread }, { totalEmails: allNow, unreadEmails: unreadNow })).toBe(number)
})

it('writes a number into its sign', () => {
  for (const [number, text] of [[1, '>1<'], [42, '>42<'], [100, '>99+<']] as const) {
    const sign = new DOMParser().parseFromString(badged(number), 'image/svg+xml')
    expect(sign.documentElement.tagName).toBe('svg')
    expect(badged(number)).toContain(text)
  }
})

it('gives each key one meaning', () => {
  const all = KEYS.filter(group => ['Anywhere', 'List', 'Message'].includes(group.title)).flatMap(group => group.keys.flatMap(one => one.keys))
  expect(all.filter((key, index) => all.indexOf(key) !== index)).toEqual([])
})
