// Every page of the administration, shown with what a busy server answers.

import { act } from 'preact/test-utils'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { loggedIn } from '../src/api/wire'
import { route } from '../src/lib/router'
import { byDay } from '../src/admin/reports'
import { newPassword } from '../src/admin/account'
import { newPolicyID } from '../src/admin/domain'
import { SAMPLES } from './samples'

const called: string[] = []
const failures: string[] = []

beforeAll(async () => {
  document.body.innerHTML = '<div id="app"></div>'
  vi.stubGlobal('fetch', (url: string, init: { body: string }) => {
    const name = url.replace('api/', ''), answer = SAMPLES[name]
    const { params } = JSON.parse(init.body) as { params: unknown[] | Record<string, unknown> }
    called.push(name)
    const given = (Array.isArray(params) ? params : Object.values(params)) as never[]
    const body = answer ? { result: answer(...given) } : { error: { code: 'sherpa:badFunction', message: name } }
    return Promise.resolve(new Response(JSON.stringify(body), { status: answer ? 200 : 404, headers: { 'content-type': 'application/json' } }))
  })
  window.addEventListener('error', event => failures.push(event.message))
  await act(async () => {
    await import('../src/admin/main')
    loggedIn('token')
  })
})
afterEach(() => {
  called.length = 0
  failures.length = 0
})
afterAll(() => vi.unstubAllGlobals())

/** Goes there and waits until it shows a text. */
async function visit(path: string[], content: string): Promise<void> {
  await act(() => { route.value = { path, query: {} } })
  await vi.waitFor(() => expect(document.querySelector('main')?.textContent).toContain(content), { interval: 5 })
}

test.each([
  [[], 'mail.example.org', ['Status', 'LoginAttempts'], '192.0.2.10 is on a block list'],
  [['domains'], 'Domains', ['Domains'], 'bücher.example'],
  [['domains', 'example.org'], 'example.org', ['DomainConfig', 'DomainLocalparts'], 'catch-all'],
  [['domains', 'example.org', 'dns'], 'example.org', ['DomainRecords'], '_dmarc.example.org.'],
  [['domains', 'example.org', 'check'], 'example.org', [], 'Check now'],
  [['domains', 'example.org', 'clients'], 'example.org', ['ClientConfigsDomain'], '993'],
  [['domains', 'example.org', 'dkim'], 'example.org', ['DomainDKIMKeys'], 'rsa 2048'],
  [['domains', 'example.org', 'mtasts'], 'example.org', [], 'Publish a policy'],
  [['domains', 'example.org', 'settings'], 'example.org', [], 'DMARC reports'],
  [['domains', 'example.org', 'routes'], 'example.org', ['Transports'], 'From domains'],
  [['aliases', 'example.org', 'office'], 'office@example.org', ['DomainConfig'], 'ben@example.org'],
  [['aliases', 'example.org', 'none'], 'none@example.org', ['DomainConfig'], 'There is no such alias'],
  [['accounts'], 'Accounts', ['Accounts'], '8.5 GB of 9.3 GB'],
  [['accounts', 'anna'], 'anna', ['Account'], 'office@example.org'],
  [['accounts', 'anna', 'settings'], 'anna', [], 'Messages a day'],
  [['accounts', 'anna', 'login'], 'anna', ['TLSPublicKeys'], 'ecdsa-p256'],
  [['accounts', 'anna', 'attempts'], 'anna', ['LoginAttempts'], 'scram-sha-256'],
  [['queue'], 'Queue', ['QueueList', 'QueueHoldRuleList'], 'greylisted'],
  [['retired'], 'Retired messages', ['RetiredList'], 'delivered'],
  [['webhooks'], 'Webhooks', ['HookList'], 'incoming'],
  [['webhooks', 'retired'], 'Retired webhooks', ['HookRetiredList'], 'given up'],
  [['suppression'], 'Suppression', ['Suppressions'], 'gone@example.net'],
  [['routes'], 'Routes and transports', ['Routes', 'Transports'], 'smtp.provider.example:465'],
  [['reports'], 'Reports', ['DMARCSummaries'], '2,710'],
  [['reports', 'tls'], 'Reports', ['TLSRPTSummaries'], 'certificate-expired'],
  [['reports', 'dmarc', 'example.org'], 'example.org', ['DMARCReports'], 'Messages by day'],
  [['reports', 'tls', 'example.org'], 'example.org', ['TLSReports'], 'Sessions by day'],
  [['evaluations'], 'Reports we owe', ['DMARCEvaluationStats'], 'will be sent'],
  [['evaluations', 'tls'], 'Reports we owe', ['TLSRPTResults'], 'mx1.example.com'],
  [['evaluations', 'suppressed'], 'Reports we owe', ['DMARCSuppressList', 'TLSRPTSuppressList'], 'dmarc@broken.example'],
  [['mtasts'], 'MTA-STS policies', ['MTASTSPolicies'], 'not fetched'],
  [['dnsbl'], 'Block lists', ['DNSBLStatus'], 'spam seen'],
  [['certificates'], 'Certificates', ['TLSCertificates'], 'ends soon'],
  [['logs'], 'Log levels', ['LogLevels'], 'smtpserver'],
  [['config'], 'Configuration', ['ConfigFiles'], '[domains."example.org"]'],
  [['logins'], 'Login attempts', ['LoginAttempts'], 'badcreds'],
  [['access'], 'Access', ['SecondFactor', 'Sessions', 'APITokenList'], 'Firefox on Linux'],
  [['nonsense'], 'There is no such page', [], 'To the overview'],
])('%j', async (path, heading, functions, content) => {
  await visit(path, content)
  expect(document.querySelector('h1')?.textContent).toBe(heading)
  expect(called).toEqual(expect.arrayContaining(functions))
  expect(document.querySelectorAll('main [role=alert]')).toHaveLength(0)
  expect(failures).toEqual([])
  for (const control of document.querySelectorAll('main input, main select, main textarea, main button')) expect(nameOf(control), control.outerHTML).not.toBe('')
})

/** What a screen reader calls a control. */
function nameOf(control: Element): string {
  const label = control.id ? document.querySelector(`label[for="${control.id}"]`) : control.closest('label')
  return (control.getAttribute('aria-label') ?? label?.textContent ?? control.textContent ?? '').trim()
}

test('days without reports count as none', () => {
  const now = new Date('2026-03-05T12:00:00Z')
  const reports = [{ End: '2026-03-05T00:00:00Z', n: 3 }, { End: '2026-03-03T23:59:59Z', n: 4 }, { End: '2026-03-03T00:00:00Z', n: 1 }, { End: '2026-02-01T00:00:00Z', n: 9 }]
  expect(byDay(reports, 3, [one => one.n], now)).toEqual({ labels: ['3 Mar', '4 Mar', '5 Mar'], values: [[5, 0, 3]] })
})

test('ids of policies are letters and digits', () => expect(newPolicyID(new Date('2026-03-05T12:34:56.789Z'))).toBe('20260305123456'))
test('passwords have twelve characters that nobody mistakes', () => {
  const made = Array.from({ length: 50 }, newPassword)
  for (const one of made) expect(one).toMatch(/^[a-km-zA-HJ-NP-Z2-9]{12}$/)
  expect(new Set(made).size).toBe(50)
})
