// The administration: which page stands at which place.

import * as api from '../api/admin'
import { endSession, events, loginNeeded, noticeVersion } from '../api/wire'
import { Empty, Guard, LoginView, Page, Shell, start, type Command, type PlaceGroup } from '../kit'
import { count } from '../lib/format'
import { go, href, route } from '../lib/router'
import { AccountPage } from './account'
import { AccountsPage } from './accounts'
import { AliasPage } from './alias'
import { Dashboard } from './dashboard'
import { DomainPage } from './domain'
import { DomainsPage } from './domains'
import { EvaluationsPage } from './evaluations'
import { accounts, domains, hookQueueSize, queueSize } from './model'
import { BlocklistsPage, PoliciesPage } from './policies'
import { QueuePage, RetiredPage } from './queue'
import { RefusedPage } from './refused'
import { DMARCDomainPage, ReportsPage, TLSDomainPage } from './reports'
import { SuppressionPage } from './suppression'
import { AccessPage, CertificatesPage, ConfigPage, LoginsPage, LogsPage, RoutesPage } from './system'
import { RetiredWebhooksPage, WebhooksPage } from './webhooks'
import { WebsitesPage } from './websites'

function Current() {
  const [first, second, third] = route.value.path
  switch (first) {
    case undefined: return <Dashboard />
    case 'domains': return second ? <DomainPage key={second} domain={second} tab={third} /> : <DomainsPage />
    case 'aliases': return second && third ? <AliasPage key={`${third}@${second}`} domain={second} localpart={third} /> : <Nowhere />
    case 'accounts': return second ? <AccountPage key={second} name={second} tab={third} /> : <AccountsPage />
    case 'queue': return <QueuePage />
    case 'retired': return <RetiredPage />
    case 'refused': return <RefusedPage />
    case 'webhooks': return second === 'retired' ? <RetiredWebhooksPage key="retired" /> : <WebhooksPage key="waiting" />
    case 'suppression': return <SuppressionPage />
    case 'reports':
      if (!third) return <ReportsPage kind={second} />
      return second === 'tls' ? <TLSDomainPage key={third} domain={third} /> : <DMARCDomainPage key={third} domain={third} />
    case 'evaluations': return <EvaluationsPage tab={second} />
    case 'mtasts': return <PoliciesPage />
    case 'dnsbl': return <BlocklistsPage />
    case 'certificates': return <CertificatesPage />
    case 'logs': return <LogsPage />
    case 'config': return <ConfigPage tab={second} />
    case 'routes': return <RoutesPage />
    case 'websites': return <WebsitesPage />
    case 'logins': return <LoginsPage />
    case 'access': return <AccessPage />
    default: return <Nowhere />
  }
}

function Nowhere() {
  return <Page title="There is no such page"><Empty icon="search">The address leads nowhere. <a href="#/">To the overview</a></Empty></Page>
}

function places(): PlaceGroup[] {
  const at = (title: string, icon: PlaceGroup['places'][number]['icon'], path: readonly string[], waiting?: number) =>
    ({ title, icon, path, href: href(path), ...waiting ? { count: count(waiting) } : {} })
  return [
    { places: [at('Overview', 'home', []), at('Domains', 'globe', ['domains']), at('Accounts', 'people', ['accounts'])] },
    { title: 'Incoming', places: [at('Refused mail', 'ban', ['refused'])] },
    { title: 'Outgoing', places: [
      at('Queue', 'queue', ['queue'], queueSize.data.value), at('Retired messages', 'history', ['retired']), at('Webhooks', 'hook', ['webhooks'], hookQueueSize.data.value),
      at('Suppression', 'ban', ['suppression']), at('Routes', 'route', ['routes']),
    ] },
    { title: 'Reports', places: [at('Reports', 'chart', ['reports']), at('Reports we owe', 'mail', ['evaluations'])] },
    { title: 'Security', places: [
      at('Login attempts', 'key', ['logins']), at('Certificates', 'lock', ['certificates']), at('MTA-STS policies', 'shield', ['mtasts']), at('Block lists', 'ban', ['dnsbl']),
    ] },
    { title: 'Server', places: [at('Web sites', 'globe', ['websites']), at('Access', 'person', ['access']), at('Log levels', 'list', ['logs']), at('Configuration', 'file', ['config'])] },
  ]
}

function commands(): Command[] {
  return [
    ...(domains.data.value ?? []).map(one => ({ title: one.Domain, kind: 'domain', icon: 'globe' as const, run: () => go(['domains', one.Domain]) })),
    ...(accounts.data.value ?? []).map(one => ({ title: one.Name, kind: 'account', icon: 'person' as const, run: () => go(['accounts', one.Name]) })),
  ]
}

async function logIn(password: string, code: string): Promise<string> {
  const token = await api.LoginPrep()
  return api.Login(token, password, code === '' ? undefined : code)
}

function App() {
  return <Shell application="Administration" groups={places()} who="Administrator" onLogOut={() => endSession(api.Logout)} commands={commands()}
    login={<LoginView application="moxpy administration" withAddress={false} logIn={({ password, code }) => logIn(password, code)}
      passkeys={{ ask: api.PasskeyLoginPrep, alone: api.PasskeyLogin, beside: (token, { password }, answer) => api.Login(token, password, undefined, answer) }}
      foot="The password is set with moxpy setadminpassword." />}>
    <Guard key={route.value.path[0] ?? ''}><Current /></Guard>
  </Shell>
}

start('webadmin', 'moxpy administration', <App />)
const SHARED = [queueSize, hookQueueSize, domains, accounts]

/** A stream has begun before: what was known then may be old. */
let wasAway = false

function heard(kind: string, value: unknown): void {
  switch (kind as keyof api.Events) {
    case 'QueueChanged': queueSize.set((value as api.QueueChanged).Size); break
    case 'HookQueueChanged': hookQueueSize.set((value as api.HookQueueChanged).Size); break
    case 'ConfigChanged': for (const one of [domains, accounts]) void one.reload(); break
    case 'Started':
      noticeVersion((value as api.Started).Version)
      if (wasAway) for (const one of SHARED) void one.reload()
      wasAway = true
      break
    case 'ServerShutdown': break
  }
}

// They wait for the login, if there has to be one. The stream of events belongs to a session, so it begins after that.
void Promise.all(SHARED.map(one => one.reload())).then(() => {
  if (typeof EventSource === 'undefined') return
  let stop = events(api.EVENT_KINDS, heard)
  loginNeeded.subscribe(needed => {
    stop()
    if (!needed) stop = events(api.EVENT_KINDS, heard)
  })
})

