import { describe, expect, test } from 'vitest'
import { day, duration, parseDuration, parseSize, parseTime, percent, plural, relative, SECOND, size, writeDuration, writeSize } from '../src/lib/format'
import { step } from '../src/lib/keyboard'
import { ApiError, byField, explain, FieldErrors } from '../src/lib/problem'
import { href, parseRoute } from '../src/lib/router'
import { mixedScripts } from '../src/lib/scripts'

describe('routes', () => {
  test.each([
    ['', [], {}],
    ['#/', [], {}],
    ['#/domains/example.org', ['domains', 'example.org'], {}],
    ['#/domains/b%C3%BCcher.example/dns?sort=name', ['domains', 'bücher.example', 'dns'], { sort: 'name' }],
    ['#/accounts/a%2Fb', ['accounts', 'a/b'], {}],
    ['#/x%zz', ['x%zz'], {}],
  ])('%s is understood', (hash, path, query) => {
    expect(parseRoute(hash)).toEqual({ path, query })
  })

  test('what is written is read again', () => {
    const place = { path: ['aliases', 'a/b?c#d', 'exämple'], query: { q: '<1h & more' } }
    expect(parseRoute(href(place.path, place.query))).toEqual(place)
  })

  test('empty values are left out', () => expect(href(['queue'], { from: '' })).toBe('#/queue'))
})

describe('sizes', () => {
  test.each([[0, '0 bytes'], [1023, '1023 bytes'], [1024, '1 kB'], [1536, '1.5 kB'], [150 * 1024, '150 kB'], [3 * 1024 ** 3, '3 GB'], [-2048, '−2 kB']])(
    '%d is %s', (octets, text) => expect(size(octets)).toBe(text))
  test.each([['10m', 10 * 1024 ** 2], ['1.5G', 1.5 * 1024 ** 3], [' 500 ', 500], ['2 kB', 2048], ['-1', -1], ['0', 0], ['x', null], ['', null], ['1e9', null]])(
    '%s is read', (text, octets) => expect(parseSize(text)).toBe(octets))
  test.each([0, -1, 1, 1000, 2048, 5 * 1024 ** 2, 1024 ** 4])('%d is read as written', octets => expect(parseSize(writeSize(octets))).toBe(octets))
})

describe('durations', () => {
  test.each([[0, '0 ms'], [250e6, '250 ms'], [1.5 * SECOND, '1.5s'], [90 * SECOND, '1m 30s'], [5400 * SECOND, '1h 30m'], [8 * 86400 * SECOND, '1w 1d']])(
    '%d is %s', (time, text) => expect(duration(time)).toBe(text))
  test.each([['', 0], ['0', 0], ['3d', 3 * 86400], ['1h30m', 5400], ['1h 30m', 5400], ['2W', 14 * 86400], ['12', null], ['h', null], ['3x', null]])(
    '%s is read', (text, seconds) => expect(parseDuration(text)).toBe(seconds === null ? null : seconds * SECOND))
  test.each([0, 1, 60, 3661, 86400 * 30])('%d seconds are read as written', seconds =>
    expect(parseDuration(writeDuration(seconds * SECOND))).toBe(seconds * SECOND))
})

describe('times', () => {
  const now = new Date('2026-03-01T12:00:00Z')
  test.each([['2026-03-01T11:59:55Z', 'now'], ['2026-03-01T11:55:00Z', '5 min. ago'], ['2026-03-01T14:00:00Z', 'in 2 hr.'], ['2026-02-28T11:00:00Z', 'yesterday']])(
    '%s is %s', (time, text) => expect(relative(new Date(time), now)).toBe(text))
  test('the year 1 and nothing are no times', () => {
    expect(parseTime('0001-01-01T00:00:00Z')).toBeNull()
    expect(parseTime('')).toBeNull()
    expect(parseTime('nonsense')).toBeNull()
    expect(day(parseTime('2026-03-01T12:00:00Z') ?? now)).toBe('1 Mar 2026')
  })
})

test.each([[0, 0, '–'], [0, 10, '0%'], [1, 1000, '<1%'], [999, 1000, '>99%'], [10, 10, '100%'], [1, 3, '33%']])('%d of %d is %s', (part, whole, text) =>
  expect(percent(part, whole)).toBe(text))
test('one and many', () => expect([plural(1, 'message'), plural(1200, 'message'), plural(0, 'alias', 'aliases')]).toEqual(['1 message', '1,200 messages', '0 aliases']))
test.each([['ArrowDown', 2, 3, 0], ['ArrowUp', 0, 3, 2], ['End', 0, 3, 2], ['x', 0, 3, null]])('%s from %d of %d', (key, from, length, to) =>
  expect(step(key, from, length)).toBe(to))
test.each([['example.org', false], ['exаmple.org', true], ['почта.рф', false], ['日本.example', false], ['bücher.de', false], ['ελλάδα.gr', false]])(
  '%s mixes scripts: %s', (name, mixes) => expect(mixedScripts(name)).toBe(mixes))
test.each([
  [new ApiError('user:error', 'no such domain'), 'No such domain'],
  [new ApiError('network', ''), 'The server cannot be reached. Check the connection and try again.'],
  [new ApiError('server:error', 'oops'), 'The server failed: oops. Its log says more.'],
  [new TypeError('x is undefined'), 'The page failed: x is undefined'],
  ['?', 'That did not work.'],
  [new ApiError('forbiddenFrom', 'eve@b.example is not yours'), 'eve@b.example is not yours'],
])('%s is explained', (error, text) => expect(explain(error)).toBe(text))

describe('errors of the server at fields', () => {
  const place = /^(?:new\.)?web_?handlers\[1\]/i, fields = ['PathRegexp', 'BaseURL', 'StatusCode', 'ResponseHeaders']
  const found = (message: string) => byField(new ApiError('user:error', message), place, fields)
  test.each([
    ['params of WebserverConfigSave: New.WebHandlers[1].PathRegexp: is wrong', { PathRegexp: 'Is wrong' }],
    ['nothing was changed:\nweb_handlers[1].redirect.base_url: must have no path\nweb_handlers[1].redirect.status_code: must be 300', { BaseURL: 'Must have no path', StatusCode: 'Must be 300' }],
    ['nothing was changed:\nweb_handlers[1].static.response_headers.Date: is not ours', { ResponseHeaders: 'Is not ours' }],
  ])('%s', (message, wanted) => {
    const error = found(message)
    expect(error).toBeInstanceOf(FieldErrors)
    expect((error as FieldErrors).fields).toEqual(wanted)
  })
  test.each(['web sites were changed meanwhile', 'nothing was changed:\nweb_handlers[0].path_regexp: is wrong', 'nothing was changed:\nweb_handlers[1]: needs one of four'])(
    'another is shown as it is: %s', message => expect(found(message)).toBeInstanceOf(ApiError))
})
