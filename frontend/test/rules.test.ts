// Rules made from messages.

import { expect, test } from 'vitest'
import { listIdOf, rulesetOf, type RuleChoice } from '../src/webmail/rules'

test.each<[string | null, string]>([
  ['News of B <news.b.example>', 'news.b.example'], ['<News.B.example> ', 'News.B.example'], ['news.b.example', ''], [null, ''], ['<a b>', ''], ['<x> <y.example>', 'y.example'],
])('List-Id %j', (value, id) => expect(listIdOf(value)).toBe(id))

const CHOICE: RuleChoice = { kind: 'sender', sender: 'A.b+c@D.example', domain: 'D.example', listId: 'News.b.example', withSubject: false, subject: ' Offer (50%) ' }

test.each<[Partial<RuleChoice>, object]>([
  [{}, { MsgFromRegexp: '^a\\.b\\+c@d\\.example$' }],
  [{ kind: 'domain' }, { MsgFromRegexp: '@d\\.example$' }],
  [{ kind: 'list' }, { HeadersRegexp: { '^list-id$': '<news\\.b\\.example>$' } }],
  [{ kind: 'list', withSubject: true }, { HeadersRegexp: { '^list-id$': '<news\\.b\\.example>$', '^subject$': 'offer \\(50%\\)' } }],
  [{ withSubject: true }, { MsgFromRegexp: '^a\\.b\\+c@d\\.example$', HeadersRegexp: { '^subject$': 'offer \\(50%\\)' } }],
])('%j', (given, expected) => {
  expect(rulesetOf({ ...CHOICE, ...given }, 'Lists/B', new Date(Date.UTC(2026, 10, 26)))).toEqual({ ...expected, Mailbox: 'Lists/B', Comment: 'by webmail on 2026-11-26' })
})
