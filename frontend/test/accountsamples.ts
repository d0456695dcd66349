// What a busy server would answer to the functions of the account pages: for tests of pages, and to look at them.

import type * as api from '../src/api/account'

const now = Date.now()
const minutes = (count: number) => new Date(now + count * 60_000).toISOString()
const days = (count: number) => minutes(count * 1440)
const AGENT = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'

export const RULE: api.Ruleset = {
  SMTPMailFromRegexp: null, MsgFromRegexp: '^news@lists\\.example\\.org$', VerifiedDomain: 'lists.example.org', HeadersRegexp: { '^list-id$': 'news' }, IsForward: false, ListAllowDomain: 'lists.example.org',
  AcceptRejectsToMailbox: null, Mailbox: 'Lists/News', Comment: 'Weekly',
}
export const DESTINATION: api.Destination = { Mailbox: null, FullName: '', SMTPError: null, MessageAuthRequiredSMTPError: null, Forward: [], ForwardOnly: false, Rulesets: [] }

export const ACCOUNT: api.AccountInfo = {
  Name: 'anna', LoginAddress: 'anna@example.org', StorageUsed: 9.1e9, StorageLimit: 10e9,
  Config: {
    Domain: 'example.org', Description: '', FullName: 'Anna Example', LoginDisabled: null,
    Destinations: {
      'anna@example.org': { ...DESTINATION, Rulesets: [RULE, { ...RULE, MsgFromRegexp: '@bank\\.example$', VerifiedDomain: null, HeadersRegexp: {}, ListAllowDomain: null, Mailbox: null }], Forward: ['anna@elsewhere.example'] },
      '@example.org': { ...DESTINATION, Mailbox: 'Other' }, 'old@example.org': { ...DESTINATION, SMTPError: '550 moved' }, 'a/b?c@bücher.example': DESTINATION,
    },
    OutgoingWebhook: { URL: 'https://app.example.org/hooks/sent', Authorization: 'Bearer x', Events: ['delivered', 'failed'] }, IncomingWebhook: null, FromIDLoginAddresses: ['anna@example.org'], KeepRetiredMessagePeriod: 3 * 86400e9,
    WebhookSecret: 'whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3', KeepRetiredWebhookPeriod: null, SubjectPass: { Period: null }, QuotaMessageSize: 0, RejectsMailbox: 'Rejects', KeepRejects: false, Introbox: 'Introbox',
    AutomaticJunkFlags: { Enabled: true, JunkMailboxRegexp: '^(junk|spam)', NeutralMailboxRegexp: '^(inbox|neutral)', NotJunkMailboxRegexp: null },
    JunkFilter: { Threshold: 0.95, Onegrams: true, Twograms: false, Threegrams: false, MaxPower: 0.01, TopWords: 10, IgnoreWords: 0.1, RareWords: 2 },
    MaxOutgoingMessagesPerDay: 1000, MaxFirstTimeRecipientsPerDay: 200, StripBcc: false, NoFirstTimeSenderDelay: false, NoCustomPassword: false, IMAPCapabilitiesDisabled: ['NOTIFY', 'X-OTHER'], Routes: [],
  },
}

const mailbox = (ID: number, Name: string, Messages: number, Size: number, SpecialUse: string[] = []): api.Mailbox => ({ ID, Name, SpecialUse, Messages, Unread: Messages % 7, Size })

export const SAMPLES: Record<string, (...params: never[]) => unknown> = {
  LoginPrep: () => 'prepared', Login: () => 'csrf', Logout: () => null, Version: () => ({ Version: '0.1.0', Os: 'linux', Arch: 'amd64' }), Account: () => ACCOUNT,
  Aliases: () => [{ Alias: 'office@example.org', SubscriptionAddresses: ['anna@example.org'], PostPublic: true, AllowMsgFrom: true, Members: ['anna@example.org', 'ben@example.org'] }],
  Mailboxes: () => [mailbox(1, 'Inbox', 311, 2e9), mailbox(2, 'Sent', 1200, 4e9, ['Sent']), mailbox(3, 'Lists/News', 4000, 3e9), mailbox(4, 'Junk', 0, 0, ['Junk'])],
  ClientConfigs: () => ['example.org', 'bücher.example'].flatMap(Domain => [{ Domain, Protocol: 'IMAP (TLS)', Host: 'mail.example.org', Port: 993, Note: 'TLS from the start' }, { Domain, Protocol: 'Submission (TLS)', Host: 'mail.example.org', Port: 465, Note: 'TLS from the start' }]),
  AppleProfile: (...[address]: [string?]) => ({ URL: `https://mail.example.org/profile.mobileconfig?addresses=${address ?? ''}`, QRCode: 'data:image/svg+xml,x' }),
  SecondFactor: () => ({ TOTP: true, Created: days(-30), RecoveryCodesLeft: 2, AppPasswordsOnly: false, Passkeys: [{ ID: 'p1', Name: 'Firefox on Linux', Host: 'mail.example', Created: days(-30), LastUsed: null }] }),
  RulesetPreview: () => ({ LookedAt: 200, GaveUp: false, Matches: [{ Received: days(-1), MsgFrom: 'news@lists.example.org', Subject: 'News of the week' }] }),
  SuppressionList: () => [{ ID: 2, Created: days(-4), BaseAddress: 'gone@example.net', OriginalAddress: 'gone+list@example.net', Manual: false, Reason: '550 5.1.1 no such user' }, { ID: 3, Created: days(-9), BaseAddress: 'no@example.net', OriginalAddress: 'no@example.net', Manual: true, Reason: '' }],
  AppPasswordList: () => [{ ID: 4, Label: 'phone', Protocols: ['imap', 'submission'], Created: days(-90), Expires: null, LastUsed: minutes(-50) }, { ID: 5, Label: 'old tablet', Protocols: ['imap'], Created: days(-400), Expires: days(-35), LastUsed: null }],
  IMAPCapabilities: () => ['CONDSTORE', 'IDLE', 'IMAP4REV2', 'MOVE', 'NOTIFY', 'QRESYNC', 'UIDPLUS'],
  AppPasswordProtocols: () => ['submission', 'imap', 'webmail', 'webapi', 'send', 'suppression'],
  TLSPublicKeys: () => [{ Fingerprint: 'p3Kq0T1Yw8r7v6x5zZz0', Created: days(-40), Type: 'ecdsa-p256', Name: 'laptop', NoIMAPPreauth: false, Account: 'anna', LoginAddress: 'anna@example.org' }],
  LoginAttempts: (...[limit]: [number?]) => Array.from({ length: 14 }, (_, at) => ({
    Account: 'anna', LoginAddress: 'anna@example.org', Result: at % 4 === 3 ? 'badcreds' : 'ok', Count: 1 + at * 3, First: days(-at), Last: minutes(-3 - at * 47), Protocol: ['imap', 'submission', 'webaccount'][at % 3],
    AuthMech: ['scram-sha-256', 'plain', 'weblogin'][at % 3], UserAgent: at % 3 === 2 ? AGENT : '', RemoteIP: at % 4 === 3 ? `203.0.113.${at}` : '2001:db8:17::5', LocalIP: '192.0.2.10', TLS: 'TLS1.3 TLS_AES_128_GCM_SHA256', TLSPubKeyFingerprint: '',
  })).slice(0, limit || undefined),
  Sessions: () => [{ ID: 'a', Application: 'account', LoginAddress: 'anna@example.org', Created: days(-1), LastUsed: minutes(-1), Expires: days(1), RemoteIP: '2001:db8:17::5', UserAgent: AGENT, IsCurrent: true },
    { ID: 'b', Application: 'webmail', LoginAddress: 'anna@example.org', Created: days(-3), LastUsed: minutes(-600), Expires: days(1), RemoteIP: '203.0.113.7', UserAgent: 'Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Mobile/15E148 Safari/604.1', IsCurrent: false }],
  APITokenList: () => [{ ID: 't', Label: 'backup script', Scopes: ['read'], Created: days(-40), Expires: null, LastUsed: minutes(-9) }],
}
