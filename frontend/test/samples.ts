// What a busy server would answer to the functions of the admin pages: for tests of pages, and to look at them.

const now = Date.now()
const minutes = (count: number) => new Date(now + count * 60_000).toISOString()
const days = (count: number) => minutes(count * 1440)

const attempts = (count: number, error: string) => Array.from({ length: count }, (_, at) => ({
  Start: minutes(-60 * (count - at)), Duration: 1_300_000_000, Success: false, Code: 451, Secode: '4.7.1', Error: error, URL: 'https://app.example.com/hooks/mail', Response: '',
}))
const ERRORS = ['greylisted, please try again in 300 seconds', 'mx1.example.net: connection refused', '4.2.2 mailbox full; the recipient has to tidy up first']

const queue = Array.from({ length: 23 }, (_, at) => ({
  ID: 4711 + at, BaseID: at % 4 === 1 ? 4710 + at : 0, Queued: minutes(-20 - 37 * at), Account: ['anna', 'ben', 'newsletter'][at % 3], From: at === 5 ? '' : ['anna@example.org', 'ben@bücher.example', 'newsletter+k3j5h@example.org'][at % 3],
  To: `recipient${at}@${['example.net', 'mail.example.com', 'a-rather-long-domain-name.example'][at % 3]}`, Size: 3_100 * (at * at + 1), Subject: ['Minutes of the meeting on Tuesday', 'Re: invoice 2026-0117', 'What is new in March'][at % 3],
  MessageID: `<${at}x7@example.org>`, FromID: '', Attempts: at % 5, MaxAttempts: 8, Hold: at % 7 === 3, NextAttempt: minutes(at * 13 - 20), LastAttempt: at % 5 ? minutes(-13 * at) : null,
  Results: attempts(at % 5, ERRORS[at % 3] ?? ''), Transport: at % 6 === 2 ? 'smarthost' : null, RequireTLS: at % 8 === 1 ? true : null, Has8bit: at % 2 === 0, SMTPUTF8: at % 3 === 1,
  IsDMARCReport: false, IsTLSReport: false, FutureRelease: '', Extra: at === 0 ? { campaign: 'spring' } : {},
}))
const retired = queue.map((one, at) => ({ ...one, LastActivity: minutes(-30 * at), KeepUntil: days(7), Success: at % 4 !== 2, Results: [...one.Results.slice(0, 1), { ...attempts(1, '2.0.0 Ok: queued as 4Zx')[0], Success: at % 4 !== 2, Code: 250 }] }))
const hooks = queue.slice(0, 6).map((one, at) => ({
  ID: 90 + at, Account: one.Account, Event: ['incoming', 'delivered', 'failed'][at % 3], URL: 'https://app.example.com/hooks/mail', Submitted: one.Queued, NextAttempt: one.NextAttempt, QueueMsgID: one.ID, FromID: '', MessageID: one.MessageID,
  Subject: one.Subject, Extra: {}, Attempts: one.Attempts, Results: one.Results.map(result => ({ ...result, Code: 503, Secode: '', Error: 'unexpected status 503' })),
}))
const key = { Hash: 'sha256', Canonicalization: { HeaderRelaxed: true, BodyRelaxed: true }, Headers: [], DontSealHeaders: false, Expiration: 3 * 86400e9, PrivateKeyFile: 'dkim/2026a._domainkey.example.org.pem' }
const domain = {
  Disabled: false, Description: 'Our main domain', ClientSettingsDomain: 'mail.example.org', LocalpartCatchallSeparators: ['+'], LocalpartCaseSensitive: false,
  DKIM: { Sign: ['2026a', '2026b'], Selectors: { '2026a': key, '2026b': key, '2025a': key }, RotateEvery: null }, DMARC: { Localpart: 'dmarc-reports', Domain: null, Account: 'anna', Mailbox: 'DMARC' },
  MTASTS: { PolicyID: '20260117120000', Mode: 'enforce', MaxAge: 14 * 86400e9, MX: [] }, TLSRPT: null, Routes: [{ FromDomain: [], ToDomain: ['.example.com'], MinimumAttempts: 2, Transport: 'smarthost' }],
  Aliases: { office: { Addresses: ['anna@example.org', 'ben@example.org'], Forward: ['archive@example.com'], PostPublic: true, ListMembers: true, AllowMsgFrom: true } },
}
const long = 'v=DKIM1;h=sha256;p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAvM3ZkH1xq8r6q0cLQ2o1b8oQ6e3m2x8V7xk2n5J4e9r1wYpYt6k4S0a3d5f7g9h1j2k3l4z5x6c7v8b9n0m1Q2w3E4r5T6y7U8i9O0p'
const record = (Name: string, Type: string, Value: string, State: string, Comment = '', Optional = false, Found: string[] = []) => ({ Name, Type, TTL: 300, Value, Comment, Optional, State, Found })
const records = (checked: boolean) => [
  record('example.org.', 'MX', '10 mail.example.org.', 'ok', 'Where mail for the domain goes'),
  record('2026a._domainkey.example.org.', 'TXT', long, 'ok'), record('2026b._domainkey.example.org.', 'TXT', 'v=DKIM1;k=ed25519;p=Gb5Lw0T1r8s7x6', 'missing'),
  record('example.org.', 'TXT', 'v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 mx ~all', 'different', 'Who may send in its name', false, ['v=spf1 a -all']),
  record('_dmarc.example.org.', 'TXT', 'v=DMARC1;p=reject;rua=mailto:dmarc-reports@example.org!10m', 'ok'), record('_mta-sts.example.org.', 'TXT', 'v=STSv1; id=20260117120000', 'ok'),
  record('_imaps._tcp.example.org.', 'SRV', '0 1 993 mail.example.org.', 'ok'), record('_pop3._tcp.example.org.', 'SRV', '0 0 0 .', 'missing', 'There is no POP3', true),
].map(one => checked ? one : { ...one, State: 'unknown', Found: [] })
const section = (Name: string, Errors: string[] = [], Warnings: string[] = [], Instructions: string[] = [], Details: string[] = []) => ({ Name, Errors, Warnings, Details, Instructions })
const logins = Array.from({ length: 14 }, (_, at) => ({
  Account: at % 4 === 3 ? '-' : ['anna', 'ben'][at % 2], LoginAddress: at % 4 === 3 ? 'admin@example.org' : ['anna@example.org', 'ben@example.org'][at % 2], RemoteIP: at % 4 === 3 ? `203.0.113.${at}` : '2001:db8:17::5', LocalIP: '192.0.2.10', TLS: 'TLS1.3 TLS_AES_128_GCM_SHA256',
  TLSPubKeyFingerprint: '', UserAgent: at % 3 ? '' : 'Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0', Protocol: ['imap', 'submission', 'webaccount'][at % 3], AuthMech: ['scram-sha-256', 'plain', 'weblogin'][at % 3], Result: at % 4 === 3 ? 'badcreds' : 'ok', First: days(-at), Last: minutes(-3 - at * 47), Count: 1 + at * 3,
}))
const dmarcReports = Array.from({ length: 40 }, (_, at) => ({
  ID: `d${at}`, Domain: 'example.org', Organization: ['google.com', 'Yahoo', 'Fastmail Pty Ltd'][at % 3], Email: 'noreply@example.net', ReportID: `${at}`, Begin: days(-1 - at / 1.4), End: days(-at / 1.4), Received: days(-at / 1.4), Policy: 'reject', Percentage: 100,
  Rows: [
    { SourceIP: '192.0.2.10', Count: 40 + (at * 17) % 60, Disposition: 'none', DKIM: 'pass', SPF: 'pass', HeaderFrom: 'example.org', Overrides: [] },
    { SourceIP: `198.51.100.${at}`, Count: 1 + (at * 7) % 13, Disposition: at % 3 ? 'reject' : 'none', DKIM: 'fail', SPF: 'fail', HeaderFrom: 'example.org', Overrides: at % 3 ? [] : ['mailing_list'] },
  ],
}))
const tlsPolicies = (at: number) => [{ PolicyType: 'sts', Domain: 'example.org', MX: ['mail.example.org'], SuccessfulSessions: 30 + (at * 11) % 40, FailedSessions: at % 9 === 4 ? 3 : 0,
  Failures: at % 9 === 4 ? [{ ResultType: 'certificate-expired', SendingIP: '203.0.113.9', ReceivingMX: 'mail.example.org', ReceivingIP: '', FailedSessions: 3, ReasonCode: '', Information: '' }] : [] }]
const tlsReports = Array.from({ length: 30 }, (_, at) => ({ ID: `t${at}`, Domain: 'example.org', Organization: ['Google Inc.', 'Microsoft Corporation'][at % 2], Contact: '', ReportID: `${at}`, Begin: days(-1 - at), End: days(-at), Received: days(-at), Policies: tlsPolicies(at) }))
const suppressed = [{ Inserted: days(-10), ReportingAddress: 'dmarc@broken.example', Until: days(20), Comment: 'always over quota' }]

export const SAMPLES: Record<string, (...params: never[]) => unknown> = {
  LoginPrep: () => 'prepared', Login: () => 'csrf', Logout: () => null, Version: () => ({ Version: '0.1.0', Os: 'linux', Arch: 'amd64' }),
  CheckUpdatesEnabled: () => true,
  Status: () => ({ Hostname: 'mail.example.org', Started: days(-12.3), QueueSize: 23, QueueHeld: 3, HookQueueSize: 6, DiskUsed: 71e9, DiskFree: 54e9, Attention: [
    { Severity: 'error', Title: '192.0.2.10 is on a block list', Text: 'bl.example.net says: spam seen in the last week', Place: 'dnsbl' },
    { Severity: 'warning', Title: '4 messages fail again and again', Text: 'All to example.net: connection refused', Place: 'queue' },
  ] }),
  Domains: () => [{ Domain: 'example.org', Disabled: false }, { Domain: 'bücher.example', Disabled: false }, { Domain: 'old.example', Disabled: true }],
  DomainConfig: () => domain, DomainLocalparts: () => ({ Accounts: { anna: 'anna', ben: 'ben', newsletter: 'newsletter', '': 'anna' }, Aliases: domain.Aliases }),
  DomainRecords: (...[, check]: [string?, boolean?]) => records(check === true),
  CheckDomain: () => ({ Domain: 'example.org', Sections: [
    section('DNSSEC', [], ['The answer for MX of the domain is not authentic: the zone is not signed.'], ['Enable DNSSEC at whoever runs the DNS of the domain.']), section('IPRev'), section('MX', [], [], [], ['mail.example.org: 192.0.2.10, 2001:db8::10']),
    section('TLS'), section('SPF', ['2001:db8::10 does not pass: ~all'], [], ['example.org. TXT "v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 mx ~all"']), section('DKIM'), section('DMARC'), section('MTA-STS'), section('Autoconf'),
  ] }),
  ClientConfigsDomain: () => [{ Protocol: 'Submission (TLS)', Host: 'mail.example.org', Port: 465, Listener: 'public', Note: '' }, { Protocol: 'IMAP (TLS)', Host: 'mail.example.org', Port: 993, Listener: 'public', Note: '' }, { Protocol: 'IMAP (STARTTLS)', Host: 'mail.example.org', Port: 143, Listener: 'public', Note: 'for old programs' }],
  DomainDKIMKeys: () => [{ Selector: '2026a', Algorithm: 'rsa', Bits: 2048, Record: long }, { Selector: '2026b', Algorithm: 'ed25519', Bits: 0, Record: 'v=DKIM1;k=ed25519' }, { Selector: '2025a', Algorithm: 'rsa', Bits: 2048, Record: long }],
  Accounts: () => [
    { Name: 'anna', Disabled: false, Description: 'Anna Example', Addresses: 4, StorageUsed: 9.1e9, StorageLimit: 10e9 }, { Name: 'ben', Disabled: false, Description: '', Addresses: 1, StorageUsed: 123e6, StorageLimit: 10e9 },
    { Name: 'newsletter', Disabled: true, Description: 'Only sends', Addresses: 1, StorageUsed: 2048, StorageLimit: 0 },
  ],
  Account: () => ({ Name: 'anna', StorageUsed: 9.1e9, StorageLimit: 10e9, Aliases: [{ Alias: 'office@example.org', Address: 'anna@example.org' }], Config: {
    Domain: 'example.org', Description: 'Anna Example', FullName: 'Anna', LoginDisabled: null, Destinations: { 'anna@example.org': { Mailbox: null, FullName: '', SMTPError: null }, '@example.org': { Mailbox: 'Other', FullName: '', SMTPError: null }, 'old@example.org': { Mailbox: null, FullName: '', SMTPError: '550 moved' } },
    QuotaMessageSize: 10 * 1024 ** 3, MaxOutgoingMessagesPerDay: 1000, MaxFirstTimeRecipientsPerDay: 200, NoFirstTimeSenderDelay: false, NoCustomPassword: true, Routes: [],
  } }),
  TLSPublicKeys: () => [{ Fingerprint: 'p3Kq0T1Yw8r7v6x5zZz0', Created: days(-40), Type: 'ecdsa-p256', Name: 'laptop', NoIMAPPreauth: false, Account: 'anna', LoginAddress: 'anna@example.org' }],
  LoginAttempts: (...[, limit]: [string?, number?]) => logins.slice(0, limit), QueueSize: () => 23, HookQueueSize: () => 6,
  QueueHoldRuleList: () => [{ ID: 1, Account: '', SenderDomain: '', RecipientDomain: 'down.example' }], QueueList: () => queue, RetiredList: () => retired, HookList: () => hooks,
  HookRetiredList: () => hooks.map((one, at) => ({ ...one, LastActivity: minutes(-at * 60), KeepUntil: days(3), Success: at % 3 !== 1, SupersededByID: 0 })),
  QueueHoldSet: () => 2, HookPayload: () => '{"Version":0,"Event":"delivered","QueueMsgID":4711}',
  SecondFactor: () => ({ TOTP: true, Created: days(-90), RecoveryCodesLeft: 2, AppPasswordsOnly: false, Passkeys: [{ ID: 'p1', Name: 'Firefox on Linux', Host: 'mail.example', Created: days(-30), LastUsed: null }] }), APITokenList: () => [{ ID: 't1', Label: 'backup script', Scopes: ['read', 'change'], Created: days(-30), Expires: days(60), LastUsed: minutes(-70) }],
  Sessions: () => [{ ID: 's1', Application: 'admin', LoginAddress: '', Created: days(-1), LastUsed: minutes(-1), Expires: days(1), RemoteIP: '2001:db8:17::5', UserAgent: 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0', IsCurrent: true },
    { ID: 's2', Application: 'admin', LoginAddress: '', Created: days(-2), LastUsed: minutes(-500), Expires: days(1), RemoteIP: '192.0.2.77', UserAgent: 'Mozilla/5.0 (Linux; Android 16) AppleWebKit/537.36 Chrome/142.0 Mobile Safari/537.36', IsCurrent: false }],
  DMARCSummaries: () => [{ Domain: 'example.org', Total: 2710, DispositionQuarantine: 3, DispositionReject: 88, DKIMFail: 101, SPFFail: 240, PolicyOverrides: { mailing_list: 21, forwarded: 4 } }, { Domain: 'bücher.example', Total: 12, DispositionQuarantine: 0, DispositionReject: 0, DKIMFail: 0, SPFFail: 0, PolicyOverrides: {} }],
  DMARCReports: () => dmarcReports, DMARCReportID: () => dmarcReports[0], TLSRPTSummaries: () => [{ Domain: 'example.org', Success: 1490, Failure: 9, ResultTypeCounts: { 'certificate-expired': 9 } }], TLSReports: () => tlsReports, TLSReportID: () => tlsReports[0],
  DMARCEvaluationStats: () => [{ Domain: 'example.net', Count: 41, Dispositions: ['none', 'reject'], SendReport: true }, { Domain: 'example.com', Count: 3, Dispositions: ['none'], SendReport: false }],
  DMARCEvaluationsDomain: () => [{ Evaluated: minutes(-12), Optional: false, IntervalHours: 24, Addresses: ['mailto:dmarc@example.net'], SourceIP: '198.51.100.7', Disposition: 'none', DKIM: 'pass', SPF: 'pass', HeaderFrom: 'example.net', EnvelopeFrom: 'example.net' }],
  DMARCSuppressList: () => suppressed, TLSRPTSuppressList: () => [], TLSRPTResults: () => [{ PolicyDomain: 'example.net', DayUTC: '2026-03-01', RecipientDomain: 'example.net', IsHost: false, SendReport: true, Results: tlsPolicies(4) }, { PolicyDomain: 'mx1.example.com', DayUTC: '2026-03-01', RecipientDomain: 'example.com', IsHost: true, SendReport: false, Results: tlsPolicies(1) }],
  MTASTSPolicies: () => [{ Domain: 'gmail.example', Inserted: days(-40), LastUpdate: days(-1), LastUse: minutes(-5), ValidEnd: days(0.9), RecordID: '20190429T010101', Mode: 'enforce', MX: ['gmail-smtp-in.l.example', '*.gmail-smtp-in.l.example'], MaxAge: 86400e9, Backoff: false, Error: '' },
    { Domain: 'broken.example', Inserted: days(-2), LastUpdate: null, LastUse: days(-1), ValidEnd: null, RecordID: '', Mode: '', MX: [], MaxAge: 0, Backoff: true, Error: 'the policy cannot be fetched: the certificate has expired' }],
  LookupIP: () => ['mail.example.org'], DNSBLStatus: () => ({ MonitorZones: ['bl.example.net'], UsingZones: ['zen.example.net'], Results: [
    { IP: '192.0.2.10', Zone: 'bl.example.net', Monitored: true, Status: 'fail', Explanation: 'spam seen in the last week' }, { IP: '192.0.2.10', Zone: 'zen.example.net', Monitored: false, Status: 'pass', Explanation: '' }, { IP: '2001:db8::10', Zone: 'bl.example.net', Monitored: true, Status: 'error', Explanation: 'timeout' }] }),
  ConfigFiles: () => ({ StaticPath: '/home/moxpy/config/moxpy.toml', DynamicPath: '/home/moxpy/config/domains.toml', Static: 'data_dir = "../data"\nlog_level = "info"\nhostname = "mail.example.org"\n', Dynamic: '[domains."example.org"]\ndescription = "Our main domain"\n' }),
  Routes: () => [{ FromDomain: [], ToDomain: ['.example.com', 'example.net'], MinimumAttempts: 0, Transport: 'smarthost' }], Transports: () => [{ Name: 'smarthost', Kind: 'submissions', Host: 'smtp.provider.example', Port: 465, About: 'scram-sha-256 as relay@example.org' }, { Name: 'tor', Kind: 'socks', Host: '127.0.0.1', Port: 9050, About: '' }],
  TLSCertificates: () => [{ Host: 'mail.example.org', Source: 'letsencrypt', Type: 'ecdsa', State: 'ok', Expires: days(9.5), RenewAt: days(1), Failures: 0, Error: '', NextAttempt: null },
    { Host: 'mta-sts.example.org', Source: 'letsencrypt', Type: 'ecdsa', State: 'error', Expires: days(60), RenewAt: days(-1), Failures: 3, Error: 'the authority does not reach port 443', NextAttempt: minutes(40) },
    { Host: 'localhost', Source: 'file', Type: 'rsa', State: 'ok', Expires: days(360), RenewAt: null, Failures: 0, Error: '', NextAttempt: null }],
  LogLevels: () => [{ Package: '', Level: 'info', Configured: true }, { Package: 'smtpserver', Level: 'debug', Configured: false }], LookupCid: () => '18f3a2',
  LookupTLSRPTRecord: () => ({ Record: 'v=TLSRPTv1; rua=mailto:tls@example.net', Addresses: ['mailto:tls@example.net'] }),
  Suppressions: () => [{ Account: 'newsletter', Address: 'gone@example.net', BaseAddress: 'gone@example.net', Manual: false, Reason: '550 5.1.1 no such user', Created: days(-4) }],
}
