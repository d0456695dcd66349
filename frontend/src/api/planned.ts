// Functions that the admin pages call and the server does not have yet, with types as the pages want them; in the style of
// the generated module, which takes their place one by one.

import { call } from './wire'

export * from './admin'

/** Which messages, all set fields together. Max 0: no bound. Texts of addresses are parts of them, or `@domain`. */
export interface QueueFilter {
  Max: number
  IDs: number[] | null
  Account: string
  From: string
  To: string
  Hold: boolean | null
  Submitted: string
  NextAttempt: string
  Transport: string | null
}

/** Behind the message LastID, whose time was Last, if they are set. */
export interface QueueSort {
  Field: 'Queued' | 'NextAttempt'
  LastID: number
  Last: string | null
  Asc: boolean
}

/** One attempt at delivery, or what an operator did instead. Duration in nanoseconds. */
export interface QueueAttempt {
  Start: string
  Duration: number
  Success: boolean
  Code: number
  Secode: string
  Error: string
}

/** A message for one recipient that waits. Transport null: by the routes. */
export interface QueueMessage {
  ID: number
  BaseID: number
  Queued: string
  Account: string
  From: string
  To: string
  Size: number
  Subject: string
  MessageID: string
  FromID: string
  Attempts: number
  MaxAttempts: number
  Hold: boolean
  NextAttempt: string
  LastAttempt: string | null
  Results: QueueAttempt[]
  Transport: string | null
  RequireTLS: boolean | null
  Has8bit: boolean
  SMTPUTF8: boolean
  IsDMARCReport: boolean
  IsTLSReport: boolean
  FutureRelease: string
  Extra: Record<string, string>
}

/** As QueueFilter. */
export interface RetiredFilter {
  Max: number
  IDs: number[] | null
  Account: string
  From: string
  To: string
  Submitted: string
  LastActivity: string
  Transport: string | null
  Success: boolean | null
}

export interface RetiredSort {
  Field: 'Queued' | 'LastActivity'
  LastID: number
  Last: string | null
  Asc: boolean
}

/** What is remembered of a message that left the queue. */
export interface RetiredMessage {
  ID: number
  BaseID: number
  Queued: string
  Account: string
  From: string
  To: string
  Size: number
  Subject: string
  MessageID: string
  FromID: string
  Attempts: number
  MaxAttempts: number
  LastAttempt: string | null
  LastActivity: string
  KeepUntil: string
  Success: boolean
  Results: QueueAttempt[]
  Transport: string | null
  RequireTLS: boolean | null
  IsDMARCReport: boolean
  IsTLSReport: boolean
  Extra: Record<string, string>
}

/** Empty fields: any. */
export interface HoldRule {
  ID: number
  Account: string
  SenderDomain: string
  RecipientDomain: string
}

export interface HookFilter {
  Max: number
  IDs: number[] | null
  Account: string
  Submitted: string
  NextAttempt: string
  Event: string
}

export interface HookSort {
  Field: 'Submitted' | 'NextAttempt'
  LastID: number
  Last: string | null
  Asc: boolean
}

/** One POST. Duration in nanoseconds. */
export interface HookAttempt {
  Start: string
  Duration: number
  URL: string
  Success: boolean
  Code: number
  Error: string
  Response: string
}

/** A webhook that waits. */
export interface Hook {
  ID: number
  Account: string
  Event: string
  URL: string
  Submitted: string
  NextAttempt: string
  QueueMsgID: number
  FromID: string
  MessageID: string
  Subject: string
  Extra: Record<string, string>
  Attempts: number
  Results: HookAttempt[]
  Payload: string
}

export interface HookRetiredFilter {
  Max: number
  IDs: number[] | null
  Account: string
  Submitted: string
  LastActivity: string
  Event: string
}

export interface HookRetiredSort {
  Field: 'Submitted' | 'LastActivity'
  LastID: number
  Last: string | null
  Asc: boolean
}

export interface HookRetired {
  ID: number
  Account: string
  Event: string
  URL: string
  Submitted: string
  LastActivity: string
  KeepUntil: string
  Success: boolean
  QueueMsgID: number
  FromID: string
  MessageID: string
  Subject: string
  Extra: Record<string, string>
  Attempts: number
  Results: HookAttempt[]
  SupersededByID: number
  Payload: string
}

/** One area of the check, with records to add. */
export interface CheckSection {
  Name: string
  Errors: string[]
  Warnings: string[]
  Details: string[]
  Instructions: string[]
}

export interface DomainCheck {
  Domain: string
  Sections: CheckSection[]
}

/** A record that the domain should have. State is unknown unless it was looked up; Found is what is there. */
export interface DNSRecord {
  Name: string
  Type: string
  TTL: number
  Value: string
  Comment: string
  Optional: boolean
  State: 'unknown' | 'ok' | 'missing' | 'different' | 'error'
  Found: string[]
}

export interface ClientConfig {
  Protocol: string
  Host: string
  Port: number
  Listener: string
  Note: string
}

/** Localparts with the names of their accounts, and those of aliases. Localpart "" catches all. */
export interface DomainLocalparts {
  Accounts: Record<string, string>
  Aliases: Record<string, Alias>
}

export interface Canonicalization {
  HeaderRelaxed: boolean
  BodyRelaxed: boolean
}

/** A DKIM key. Expiration in nanoseconds. */
export interface Selector {
  Hash: string
  Canonicalization: Canonicalization
  Headers: string[]
  DontSealHeaders: boolean
  Expiration: number | null
  PrivateKeyFile: string
}

export interface DKIM {
  Sign: string[]
  Selectors: Record<string, Selector>
}

export interface ReportAddress {
  Localpart: string
  Domain: string | null
  Account: string
  Mailbox: string
}

/** MaxAge in nanoseconds. */
export interface MTASTS {
  PolicyID: string
  Mode: 'none' | 'testing' | 'enforce'
  MaxAge: number
  MX: string[]
}

export interface Alias {
  Addresses: string[]
  PostPublic: boolean
  ListMembers: boolean
  AllowMsgFrom: boolean
}

export interface Route {
  FromDomain: string[]
  ToDomain: string[]
  MinimumAttempts: number
  Transport: string
}

export interface DomainConfig {
  Disabled: boolean
  Description: string
  ClientSettingsDomain: string | null
  LocalpartCatchallSeparators: string[]
  LocalpartCaseSensitive: boolean
  DKIM: DKIM
  DMARC: ReportAddress | null
  MTASTS: MTASTS | null
  TLSRPT: ReportAddress | null
  Routes: Route[]
  Aliases: Record<string, Alias>
}

/** What the key of a selector is. */
export interface DKIMKey {
  Selector: string
  Algorithm: string
  Bits: number
  Record: string
}

export interface AccountListed {
  Name: string
  Disabled: boolean
  Description: string
  Addresses: number
  StorageUsed: number
  StorageLimit: number
}

export interface AccountDestination {
  Mailbox: string | null
  FullName: string
  SMTPError: string | null
}

export interface AccountConfig {
  Domain: string | null
  Description: string
  FullName: string
  LoginDisabled: string | null
  Destinations: Record<string, AccountDestination>
  QuotaMessageSize: number
  MaxOutgoingMessagesPerDay: number
  MaxFirstTimeRecipientsPerDay: number
  NoFirstTimeSenderDelay: boolean
  NoCustomPassword: boolean
  Routes: Route[]
}

export interface AliasMembership {
  Alias: string
  Address: string
}

/** StorageLimit 0: none. */
export interface AccountInfo {
  Name: string
  Config: AccountConfig
  StorageUsed: number
  StorageLimit: number
  Aliases: AliasMembership[]
}

export interface AccountSettings {
  MaxOutgoingMessagesPerDay: number
  MaxFirstTimeRecipientsPerDay: number
  QuotaMessageSize: number
  NoFirstTimeSenderDelay: boolean
  NoCustomPassword: boolean
}

export interface TLSPublicKey {
  Fingerprint: string
  Created: string
  Type: string
  Name: string
  NoIMAPPreauth: boolean
  Account: string
  LoginAddress: string
}

/** Attempts that differ only in their moment. */
export interface LoginAttempt {
  Account: string
  LoginAddress: string
  RemoteIP: string
  LocalIP: string
  TLS: string
  TLSPubKeyFingerprint: string
  UserAgent: string
  Protocol: string
  AuthMech: string
  Result: string
  First: string
  Last: string
  Count: number
}

/** Of 30 days. */
export interface DMARCSummary {
  Domain: string
  Total: number
  DispositionQuarantine: number
  DispositionReject: number
  DKIMFail: number
  SPFFail: number
  PolicyOverrides: Record<string, number>
}

export interface DMARCRow {
  SourceIP: string
  Count: number
  Disposition: string
  DKIM: string
  SPF: string
  HeaderFrom: string
  Overrides: string[]
}

export interface DMARCReport {
  ID: string
  Domain: string
  Organization: string
  Email: string
  ReportID: string
  Begin: string
  End: string
  Received: string
  Policy: string
  Percentage: number
  Rows: DMARCRow[]
}

/** Of 30 days. */
export interface TLSRPTSummary {
  Domain: string
  Success: number
  Failure: number
  ResultTypeCounts: Record<string, number>
}

export interface TLSFailure {
  ResultType: string
  SendingIP: string
  ReceivingMX: string
  ReceivingIP: string
  FailedSessions: number
  ReasonCode: string
  Information: string
}

export interface TLSPolicyResult {
  PolicyType: string
  Domain: string
  MX: string[]
  SuccessfulSessions: number
  FailedSessions: number
  Failures: TLSFailure[]
}

export interface TLSReport {
  ID: string
  Domain: string
  Organization: string
  Contact: string
  ReportID: string
  Begin: string
  End: string
  Received: string
  Policies: TLSPolicyResult[]
}

/** What we will report to the owner of a domain. */
export interface EvaluationStat {
  Domain: string
  Count: number
  Dispositions: string[]
  SendReport: boolean
}

export interface Evaluation {
  Evaluated: string
  Optional: boolean
  IntervalHours: number
  Addresses: string[]
  SourceIP: string
  Disposition: string
  DKIM: string
  SPF: string
  HeaderFrom: string
  EnvelopeFrom: string
}

export interface SuppressAddress {
  ID: number
  Inserted: string
  ReportingAddress: string
  Until: string
  Comment: string
}

export interface TLSResult {
  PolicyDomain: string
  DayUTC: string
  RecipientDomain: string
  IsHost: boolean
  SendReport: boolean
  Results: TLSPolicyResult[]
}

export interface TLSRPTRecord {
  Record: string
  Addresses: string[]
}

/** A policy of another domain. MaxAge in nanoseconds; Backoff: fetching it failed. */
export interface MTASTSPolicy {
  Domain: string
  Inserted: string
  LastUpdate: string | null
  LastUse: string | null
  ValidEnd: string | null
  RecordID: string
  Mode: string
  MX: string[]
  MaxAge: number
  Backoff: boolean
  Error: string
}

/** Of one of our addresses in one zone. */
export interface DNSBLResult {
  IP: string
  Zone: string
  Monitored: boolean
  Status: 'pass' | 'fail' | 'error'
  Explanation: string
}

export interface DNSBLStatus {
  Results: DNSBLResult[]
  MonitorZones: string[]
  UsingZones: string[]
}

export interface ConfigFiles {
  StaticPath: string
  DynamicPath: string
  Static: string
  Dynamic: string
}

export interface TransportInfo {
  Name: string
  Kind: string
  Host: string
  Port: number
  About: string
}

export interface RoutesInfo {
  Routes: Route[]
}

/** A certificate in use. Source: file, acme, selfsigned. */
export interface CertificateInfo {
  Listener: string
  Names: string[]
  Source: string
  Issuer: string
  NotBefore: string
  NotAfter: string
  Fingerprint: string
  Error: string
}

/** Level of a package, at run time; the package "" is all others. */
export interface LogLevel {
  Package: string
  Level: string
  Configured: boolean
}

/** An address that an account does not send to. */
export interface SuppressionEntry {
  Account: string
  Address: string
  BaseAddress: string
  Manual: boolean
  Reason: string
  Created: string
}

/** Something an operator should look at; Place is a path in these pages, as domains/example.org. */
export interface Attention {
  Severity: 'error' | 'warning' | 'info'
  Title: string
  Text: string
  Place: string
}

export interface Status {
  Hostname: string
  Started: string
  QueueSize: number
  QueueHeld: number
  HookQueueSize: number
  DiskUsed: number
  DiskFree: number
  Attention: Attention[]
}

/** How the server is, and what needs attention. */
export function Status(): Promise<Status> {
  return call<Status>('Status', [])
}

/** A domain's part of the configuration. */
export function DomainConfig(domain: string): Promise<DomainConfig> {
  return call<DomainConfig>('DomainConfig', [domain])
}

/** Who has which address there. */
export function DomainLocalparts(domain: string): Promise<DomainLocalparts> {
  return call<DomainLocalparts>('DomainLocalparts', [domain])
}

/** The records it should have; looked up with `check`. */
export function DomainRecords(domain: string, check?: boolean): Promise<DNSRecord[]> {
  return call<DNSRecord[]>('DomainRecords', { Domain: domain, Check: check })
}

/** Look at everything about it in the DNS, for half a minute at most. */
export function CheckDomain(domain: string): Promise<DomainCheck> {
  return call<DomainCheck>('CheckDomain', [domain])
}

/** How mail programs reach it. */
export function ClientConfigsDomain(domain: string): Promise<ClientConfig[]> {
  return call<ClientConfig[]>('ClientConfigsDomain', [domain])
}

/** Its keys. */
export function DomainDKIMKeys(domain: string): Promise<DKIMKey[]> {
  return call<DKIMKey[]>('DomainDKIMKeys', [domain])
}

/** Add a domain, and the account if there is none. */
export function DomainAdd(disabled: boolean, domain: string, account: string, localpart: string): Promise<void> {
  return call<void>('DomainAdd', [disabled, domain, account, localpart])
}

/** Remove it with its aliases and addresses. */
export function DomainRemove(domain: string): Promise<void> {
  return call<void>('DomainRemove', [domain])
}

export function DomainRoutesSave(domain: string, routes: Route[]): Promise<void> {
  return call<void>('DomainRoutesSave', [domain, routes])
}

export function DomainDescriptionSave(domain: string, description: string): Promise<void> {
  return call<void>('DomainDescriptionSave', [domain, description])
}

/** Empty: none. */
export function DomainClientSettingsDomainSave(domain: string, clientSettingsDomain: string): Promise<void> {
  return call<void>('DomainClientSettingsDomainSave', [domain, clientSettingsDomain])
}

export function DomainLocalpartConfigSave(domain: string, separators: string[], caseSensitive: boolean): Promise<void> {
  return call<void>('DomainLocalpartConfigSave', [domain, separators, caseSensitive])
}

/** An empty localpart: none. */
export function DomainDMARCAddressSave(domain: string, localpart: string, addressDomain: string, account: string, mailbox: string): Promise<void> {
  return call<void>('DomainDMARCAddressSave', [domain, localpart, addressDomain, account, mailbox])
}

/** An empty localpart: none. */
export function DomainTLSRPTAddressSave(domain: string, localpart: string, addressDomain: string, account: string, mailbox: string): Promise<void> {
  return call<void>('DomainTLSRPTAddressSave', [domain, localpart, addressDomain, account, mailbox])
}

/** An empty id: no policy. */
export function DomainMTASTSSave(domain: string, policyID: string, mode: string, maxAge: number, mx: string[]): Promise<void> {
  return call<void>('DomainMTASTSSave', [domain, policyID, mode, maxAge, mx])
}

/** Lifetime in nanoseconds. */
export function DomainDKIMAdd(domain: string, selector: string, algorithm: string, hash: string, headerRelaxed: boolean, bodyRelaxed: boolean, seal: boolean, headers: string[], lifetime: number): Promise<void> {
  return call<void>('DomainDKIMAdd', [domain, selector, algorithm, hash, headerRelaxed, bodyRelaxed, seal, headers, lifetime])
}

export function DomainDKIMRemove(domain: string, selector: string): Promise<void> {
  return call<void>('DomainDKIMRemove', [domain, selector])
}

export function DomainDKIMSave(domain: string, selectors: Record<string, Selector>, sign: string[]): Promise<void> {
  return call<void>('DomainDKIMSave', [domain, selectors, sign])
}

export function DomainDisabledSave(domain: string, disabled: boolean): Promise<void> {
  return call<void>('DomainDisabledSave', [domain, disabled])
}

export function AliasAdd(localpart: string, domain: string, alias: Alias): Promise<void> {
  return call<void>('AliasAdd', [localpart, domain, alias])
}

export function AliasUpdate(localpart: string, domain: string, postPublic: boolean, listMembers: boolean, allowMsgFrom: boolean): Promise<void> {
  return call<void>('AliasUpdate', [localpart, domain, postPublic, listMembers, allowMsgFrom])
}

export function AliasRemove(localpart: string, domain: string): Promise<void> {
  return call<void>('AliasRemove', [localpart, domain])
}

export function AliasAddressesAdd(localpart: string, domain: string, addresses: string[]): Promise<void> {
  return call<void>('AliasAddressesAdd', [localpart, domain, addresses])
}

export function AliasAddressesRemove(localpart: string, domain: string, addresses: string[]): Promise<void> {
  return call<void>('AliasAddressesRemove', [localpart, domain, addresses])
}

/** All accounts, by name. */
export function Accounts(): Promise<AccountListed[]> {
  return call<AccountListed[]>('Accounts', [])
}

/** One. */
export function Account(name: string): Promise<AccountInfo> {
  return call<AccountInfo>('Account', [name])
}

export function AccountAdd(name: string, address: string): Promise<void> {
  return call<void>('AccountAdd', [name, address])
}

export function AccountRemove(name: string): Promise<void> {
  return call<void>('AccountRemove', [name])
}

/** `@domain` catches all. */
export function AddressAdd(address: string, account: string): Promise<void> {
  return call<void>('AddressAdd', [address, account])
}

export function AddressRemove(address: string): Promise<void> {
  return call<void>('AddressRemove', [address])
}

export function SetPassword(account: string, password: string): Promise<void> {
  return call<void>('SetPassword', [account, password])
}

export function AccountSettingsSave(account: string, settings: AccountSettings): Promise<void> {
  return call<void>('AccountSettingsSave', [account, settings])
}

/** Empty: logins are allowed. */
export function AccountLoginDisabledSave(account: string, message: string): Promise<void> {
  return call<void>('AccountLoginDisabledSave', [account, message])
}

export function AccountRoutesSave(account: string, routes: Route[]): Promise<void> {
  return call<void>('AccountRoutesSave', [account, routes])
}

/** Empty: of all accounts. */
export function TLSPublicKeys(account: string): Promise<TLSPublicKey[]> {
  return call<TLSPublicKey[]>('TLSPublicKeys', [account])
}

/** Empty: of all accounts. */
export function LoginAttempts(account: string, limit: number): Promise<LoginAttempt[]> {
  return call<LoginAttempt[]>('LoginAttempts', [account, limit])
}

export function QueueSize(): Promise<number> {
  return call<number>('QueueSize', [])
}

export function QueueHoldRuleList(): Promise<HoldRule[]> {
  return call<HoldRule[]>('QueueHoldRuleList', [])
}

export function QueueHoldRuleAdd(account: string, senderDomain: string, recipientDomain: string): Promise<HoldRule> {
  return call<HoldRule>('QueueHoldRuleAdd', [account, senderDomain, recipientDomain])
}

export function QueueHoldRuleRemove(id: number): Promise<void> {
  return call<void>('QueueHoldRuleRemove', [id])
}

export function QueueList(filter: QueueFilter, sort: QueueSort): Promise<QueueMessage[]> {
  return call<QueueMessage[]>('QueueList', [filter, sort])
}

/** So many minutes from now; how many were changed. */
export function QueueNextAttemptSet(filter: QueueFilter, minutes: number): Promise<number> {
  return call<number>('QueueNextAttemptSet', [filter, minutes])
}

export function QueueNextAttemptAdd(filter: QueueFilter, minutes: number): Promise<number> {
  return call<number>('QueueNextAttemptAdd', [filter, minutes])
}

export function QueueHoldSet(filter: QueueFilter, hold: boolean): Promise<number> {
  return call<number>('QueueHoldSet', [filter, hold])
}

export function QueueFail(filter: QueueFilter): Promise<number> {
  return call<number>('QueueFail', [filter])
}

export function QueueDrop(filter: QueueFilter): Promise<number> {
  return call<number>('QueueDrop', [filter])
}

export function QueueRequireTLSSet(filter: QueueFilter, requireTLS: boolean | null): Promise<number> {
  return call<number>('QueueRequireTLSSet', [filter, requireTLS])
}

/** Empty: by the routes. */
export function QueueTransportSet(filter: QueueFilter, transport: string): Promise<number> {
  return call<number>('QueueTransportSet', [filter, transport])
}

export function RetiredList(filter: RetiredFilter, sort: RetiredSort): Promise<RetiredMessage[]> {
  return call<RetiredMessage[]>('RetiredList', [filter, sort])
}

export function HookQueueSize(): Promise<number> {
  return call<number>('HookQueueSize', [])
}

export function HookList(filter: HookFilter, sort: HookSort): Promise<Hook[]> {
  return call<Hook[]>('HookList', [filter, sort])
}

export function HookNextAttemptSet(filter: HookFilter, minutes: number): Promise<number> {
  return call<number>('HookNextAttemptSet', [filter, minutes])
}

export function HookNextAttemptAdd(filter: HookFilter, minutes: number): Promise<number> {
  return call<number>('HookNextAttemptAdd', [filter, minutes])
}

export function HookCancel(filter: HookFilter): Promise<number> {
  return call<number>('HookCancel', [filter])
}

export function HookRetiredList(filter: HookRetiredFilter, sort: HookRetiredSort): Promise<HookRetired[]> {
  return call<HookRetired[]>('HookRetiredList', [filter, sort])
}

/** Empty: all domains. */
export function DMARCSummaries(start: string, end: string, domain: string): Promise<DMARCSummary[]> {
  return call<DMARCSummary[]>('DMARCSummaries', [start, end, domain])
}

export function DMARCReports(start: string, end: string, domain: string): Promise<DMARCReport[]> {
  return call<DMARCReport[]>('DMARCReports', [start, end, domain])
}

/** The report as it is kept. */
export function DMARCReportID(domain: string, id: string): Promise<unknown> {
  return call<unknown>('DMARCReportID', [domain, id])
}

export function DMARCEvaluationStats(): Promise<EvaluationStat[]> {
  return call<EvaluationStat[]>('DMARCEvaluationStats', [])
}

export function DMARCEvaluationsDomain(domain: string): Promise<Evaluation[]> {
  return call<Evaluation[]>('DMARCEvaluationsDomain', [domain])
}

export function DMARCRemoveEvaluations(domain: string): Promise<void> {
  return call<void>('DMARCRemoveEvaluations', [domain])
}

export function DMARCSuppressList(): Promise<SuppressAddress[]> {
  return call<SuppressAddress[]>('DMARCSuppressList', [])
}

export function DMARCSuppressAdd(address: string, until: string, comment: string): Promise<void> {
  return call<void>('DMARCSuppressAdd', [address, until, comment])
}

export function DMARCSuppressRemove(id: number): Promise<void> {
  return call<void>('DMARCSuppressRemove', [id])
}

export function DMARCSuppressExtend(id: number, until: string): Promise<void> {
  return call<void>('DMARCSuppressExtend', [id, until])
}

export function TLSRPTSummaries(start: string, end: string, domain: string): Promise<TLSRPTSummary[]> {
  return call<TLSRPTSummary[]>('TLSRPTSummaries', [start, end, domain])
}

export function TLSReports(start: string, end: string, domain: string): Promise<TLSReport[]> {
  return call<TLSReport[]>('TLSReports', [start, end, domain])
}

export function TLSReportID(domain: string, id: string): Promise<unknown> {
  return call<unknown>('TLSReportID', [domain, id])
}

export function TLSRPTResults(): Promise<TLSResult[]> {
  return call<TLSResult[]>('TLSRPTResults', [])
}

export function LookupTLSRPTRecord(domain: string): Promise<TLSRPTRecord> {
  return call<TLSRPTRecord>('LookupTLSRPTRecord', [domain])
}

export function TLSRPTRemoveResults(isHost: boolean, domain: string, day: string): Promise<void> {
  return call<void>('TLSRPTRemoveResults', [isHost, domain, day])
}

export function TLSRPTSuppressList(): Promise<SuppressAddress[]> {
  return call<SuppressAddress[]>('TLSRPTSuppressList', [])
}

export function TLSRPTSuppressAdd(address: string, until: string, comment: string): Promise<void> {
  return call<void>('TLSRPTSuppressAdd', [address, until, comment])
}

export function TLSRPTSuppressRemove(id: number): Promise<void> {
  return call<void>('TLSRPTSuppressRemove', [id])
}

export function TLSRPTSuppressExtend(id: number, until: string): Promise<void> {
  return call<void>('TLSRPTSuppressExtend', [id, until])
}

export function MTASTSPolicies(): Promise<MTASTSPolicy[]> {
  return call<MTASTSPolicy[]>('MTASTSPolicies', [])
}

/** The names of an address. */
export function LookupIP(ip: string): Promise<string[]> {
  return call<string[]>('LookupIP', [ip])
}

export function DNSBLStatus(): Promise<DNSBLStatus> {
  return call<DNSBLStatus>('DNSBLStatus', [])
}

export function MonitorDNSBLsSave(zones: string[]): Promise<void> {
  return call<void>('MonitorDNSBLsSave', [zones])
}

export function ConfigFiles(): Promise<ConfigFiles> {
  return call<ConfigFiles>('ConfigFiles', [])
}

/** The global ones. */
export function Routes(): Promise<Route[]> {
  return call<Route[]>('Routes', [])
}

export function RoutesSave(routes: Route[]): Promise<void> {
  return call<void>('RoutesSave', [routes])
}

export function Transports(): Promise<TransportInfo[]> {
  return call<TransportInfo[]>('Transports', [])
}

export function TLSCertificates(): Promise<CertificateInfo[]> {
  return call<CertificateInfo[]>('TLSCertificates', [])
}

export function LogLevels(): Promise<LogLevel[]> {
  return call<LogLevel[]>('LogLevels', [])
}

export function LogLevelSet(pkg: string, level: string): Promise<void> {
  return call<void>('LogLevelSet', [pkg, level])
}

export function LogLevelRemove(pkg: string): Promise<void> {
  return call<void>('LogLevelRemove', [pkg])
}

export function LookupCid(recvID: string): Promise<string> {
  return call<string>('LookupCid', [recvID])
}

/** Of all accounts. */
export function Suppressions(): Promise<SuppressionEntry[]> {
  return call<SuppressionEntry[]>('Suppressions', [])
}

export function SuppressionRemove(account: string, address: string): Promise<void> {
  return call<void>('SuppressionRemove', [account, address])
}
