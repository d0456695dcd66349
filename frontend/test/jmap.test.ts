// The JMAP client: what travels in one request, and what comes of answers.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { atPath, call, expand, forgetSession, orThrow, reference } from '../src/api/jmap/client'
import { CORE, MAIL, OWN } from '../src/api/jmap/types'
import { loggedIn } from '../src/api/wire'
import { ApiError } from '../src/lib/problem'

type Call = [string, Record<string, unknown>, string]
const SESSION = {
  capabilities: { [CORE]: { maxCallsInRequest: 3, maxConcurrentRequests: 2 }, [MAIL]: {}, [OWN]: {} }, accounts: {}, primaryAccounts: { [MAIL]: 'A1' },
  username: 'me@x.example', apiUrl: '/webmail/jmap/api', downloadUrl: '', uploadUrl: '', eventSourceUrl: '', state: 's',
}
let requests: { using: string[], methodCalls: Call[] }[] = []
let answer: (one: Call) => [string, unknown]

beforeEach(() => {
  forgetSession()
  loggedIn('token')
  requests = []
  answer = ([name, given]) => [name, { given, ids: ['a', 'b'] }]
  vi.stubGlobal('fetch', (url: string, options: RequestInit) => {
    if (url === 'jmap/session') return Promise.resolve(Response.json(SESSION))
    expect((options.headers as Record<string, string>)['x-mox-csrf']).toBe('token')
    const request = JSON.parse(options.body as string) as (typeof requests)[number]
    requests.push(request)
    return Promise.resolve(Response.json({ methodResponses: request.methodCalls.map(one => [...answer(one), one[2]]), sessionState: 's' }))
  })
})
afterEach(() => vi.unstubAllGlobals())

describe('call', () => {
  it('sends calls of one tick together, with account and capabilities', async () => {
    const found = call('Email/query', { filter: null })
    const heads = call('Email/get', { '#ids': reference(found, '/ids') })
    await Promise.all([found, heads])
    expect(requests).toHaveLength(1)
    expect(requests[0]?.using).toEqual([CORE, MAIL, OWN])
    const [first, second] = requests[0]?.methodCalls ?? []
    expect(first?.[1]).toEqual({ accountId: 'A1', filter: null })
    expect(second?.[1]).toEqual({ accountId: 'A1', '#ids': { resultOf: first?.[2], name: 'Email/query', path: '/ids' } })
  })

  it('splits what is too long, and refers to answers that are here by value', async () => {
    const calls = [0, 1, 2].map(() => call('Email/query', {})), last = call('Email/get', { '#ids': reference(calls[0] as never, '/ids') })
    await Promise.all([...calls, last])
    expect(requests.map(one => one.methodCalls.length)).toEqual([3, 1])
    expect(requests[1]?.methodCalls[0]?.[1]).toEqual({ accountId: 'A1', ids: ['a', 'b'] })
  })

  it('fails alone', async () => {
    answer = one => one[0] === 'Thread/get' ? ['error', { type: 'notFound' }] : [one[0], { list: [] }]
    const good = call('Email/get', {}), bad = call('Thread/get', {})
    await expect(bad).rejects.toEqual(new ApiError('notFound', 'it is no longer there'))
    await expect(bad).rejects.toMatchObject({ code: 'notFound' })
    await expect(good).resolves.toEqual({ list: [] })
  })

  it('tells what the server thinks of a request', async () => {
    vi.stubGlobal('fetch', (url: string) => Promise.resolve(url === 'jmap/session' ? Response.json(SESSION)
      : Response.json({ type: 'urn:ietf:params:jmap:error:limit', limit: 'maxSizeRequest' }, { status: 400 })))
    await expect(call('Email/get', {})).rejects.toMatchObject({ code: 'limit', message: 'more than the server takes: maxSizeRequest' })
  })
})

it.each([
  [{ ids: ['a'] }, '/ids', ['a']],
  [{ list: [{ emailIds: ['a', 'b'] }, { emailIds: ['c'] }] }, '/list/*/emailIds', ['a', 'b', 'c']],
  [{ list: [{ threadId: 't' }] }, '/list/*/threadId', ['t']],
  [{ 'a/b': { '~': 1 } }, '/a~1b/~0', 1],
  [{}, '/none/at', undefined],
])('atPath(%j, %s)', (value, path, expected) => {
  expect(atPath(value, path)).toEqual(expected)
})

it('expands templates', () => {
  expect(expand('/d/{accountId}/{name}?accept={type}', { accountId: 'A1', name: 'a b/c', type: 'text/plain' })).toBe('/d/A1/a%20b%2Fc?accept=text%2Fplain')
})

it('throws what could not be done', () => {
  const done = { oldState: null, newState: '1', created: null, updated: null, destroyed: null, notCreated: null, notUpdated: null, notDestroyed: null }
  expect(orThrow(done)).toBe(done)
  expect(() => orThrow({ ...done, notUpdated: { m: { type: 'overQuota' } } })).toThrow('the account is full')
})
