// The functions of moxpy admin, made by build/typescript_api.py of the server's tables: do not edit.

import type {
  APIToken, AutomaticJunkFlags, ConfigChanged, Destination, IncomingWebhook, JunkFilter, LoginAttempt,
  NewAPIToken, NewPasskey, OutgoingWebhook, PasskeyAnswer, PasskeyOffer, PasskeyQuestion, Refusal,
  RefusalFilter, Route, SecondFactorInfo, ServerShutdown, Session, Started, SubjectPass, TLSPublicKey,
  TOTPOffer, VersionInfo,
} from './shared'
import { call } from './wire'

export type {
  APIToken, AutomaticJunkFlags, ConfigChanged, Destination, IncomingWebhook, JunkFilter, LoginAttempt,
  NewAPIToken, NewPasskey, OutgoingWebhook, Passkey, PasskeyAnswer, PasskeyOffer, PasskeyQuestion, Refusal,
  RefusalFilter, Route, Ruleset, SecondFactorInfo, ServerShutdown, Session, Started, SubjectPass, TLSPublicKey,
  TOTPOffer, VersionInfo,
} from './shared'

/** A user. */
export interface Account {
  /** Usual domain, offered for new addresses. */
  Domain: string | null
  /** Free text, for the admin. */
  Description: string
  /** Name in From of messages written in webmail. */
  FullName: string
  /** Refuse all logins with this text. Mail is still delivered. */
  LoginDisabled: string | null
  /** Addresses, also the names to log in with: local@domain, or @domain for all others of the domain. */
  Destinations: Record<string, Destination>
  /** Told about what becomes of messages sent. */
  OutgoingWebhook: OutgoingWebhook | null
  /** Told about messages received. */
  IncomingWebhook: IncomingWebhook | null
  /**
   * Messages sent after login with one of these addresses get a unique SMTP sender address. Notices that come back
   * to it are known to be about the message while it is remembered: see keep_retired_message_period.
   */
  FromIDLoginAddresses: string[]
  /**
   * How long messages are remembered after they left the queue. Default: not at all; notices that come later are
   * not matched to them then, and failures in a row put no address on the suppression list.
   */
  KeepRetiredMessagePeriod: number | null
  /**
   * Key that requests of webhooks are signed with, as www.standardwebhooks.com has it: whsec_ and 24 to 64 octets
   * in base64. To make one: echo whsec_$(openssl rand -base64 32). Default: they are not signed.
   */
  WebhookSecret: string | null
  /** How long webhooks are kept in the queue after their end. Default: not at all. */
  KeepRetiredWebhookPeriod: number | null
  /** Let senders of slightly suspicious mail try again with a token in the subject. */
  SubjectPass: SubjectPass
  /** Most bytes of messages; negative for no limit. Default: that of the static file. */
  QuotaMessageSize: number
  /** Mailbox for copies of refused mail, cleaned regularly. Default: no copies. */
  RejectsMailbox: string | null
  /** Do not clean the mailbox for refused mail. */
  KeepRejects: boolean
  /** Mailbox, instead of Inbox, for accepted mail of senders without history here. */
  Introbox: string | null
  /** Junk flags set by the mailbox a message is moved to. */
  AutomaticJunkFlags: AutomaticJunkFlags
  /** Filter by content. Without this table: none. */
  JunkFilter: JunkFilter | null
  /** Most messages, times recipients, in any 24 hours. */
  MaxOutgoingMessagesPerDay: number
  /** Most recipients never written to before, in any 24 hours. */
  MaxFirstTimeRecipientsPerDay: number
  /** Remove Bcc from messages sent; mail programs do that themselves, many scripts forget. */
  StripBcc: boolean
  /** Accept mail of unknown senders without delay. */
  NoFirstTimeSenderDelay: boolean
  /** Passwords are generated; the owner cannot choose one. */
  NoCustomPassword: boolean
  /** IMAP capabilities not announced after login, in upper case, for clients that misuse them. */
  IMAPCapabilitiesDisabled: string[]
  /** Routes for mail of this account, before all others. */
  Routes: Route[]
}

/** An account as the operator sees it. */
export interface AccountInfo {
  Name: string
  Config: Account
  StorageUsed: number
  /** 0: none. */
  StorageLimit: number
  Aliases: AliasMembership[]
}

/** An account in a list. */
export interface AccountListed {
  Name: string
  Disabled: boolean
  Description: string
  /** How many it has. */
  Addresses: number
  /** Octets of messages. */
  StorageUsed: number
  /** Most octets; 0: no limit. */
  StorageLimit: number
}

/** Limits, which are not for the account's owner to change. */
export interface AccountSettings {
  MaxOutgoingMessagesPerDay: number
  MaxFirstTimeRecipientsPerDay: number
  /** Octets; 0: as usual, negative: no limit. */
  QuotaMessageSize: number
  NoFirstTimeSenderDelay: boolean
  NoCustomPassword: boolean
}

/** An address that leads to several others. */
export interface Alias {
  /** Members: addresses of local accounts, at least one. */
  Addresses: string[]
  /**
   * Addresses of other servers that get a copy too, of what a member accepts and does not take for junk. The first
   * such member answers for them: it hears of failures.
   */
  Forward: string[]
  /** Anyone may write to the alias; otherwise only its members. */
  PostPublic: boolean
  /** Members see each other in the account pages. */
  ListMembers: boolean
  /** Members may send with the alias as From. */
  AllowMsgFrom: boolean
}

/** An alias, and the address of an account that is a member of it. */
export interface AliasMembership {
  Alias: string
  Address: string
}

/** Something an operator should look at. */
export interface Attention {
  Severity: "error" | "info" | "warning"
  Title: string
  /** What is so, and what to do about it. */
  Text: string
  /** A path in these pages, as domains/example.org; empty: nowhere. */
  Place: string
}

/** How changes of white space in transit are treated (RFC 6376 §3.4). */
export interface Canonicalization {
  /** Ignore changes of white space and case in the header. */
  HeaderRelaxed: boolean
  /** Ignore changes of white space in the body. */
  BodyRelaxed: boolean
}

/** A certificate that we show, or should. */
export interface Certificate {
  Host: string
  /** `file`, or the name of the authority in the configuration. */
  Source: string
  /** Of its key: ecdsa, rsa or other. */
  Type: string
  /** ok; waiting for an order; error: the last order failed, or it has expired. */
  State: string
  Expires: string | null
  RenewAt: string | null
  /** Of orders, in a row. */
  Failures: number
  Error: string
  NextAttempt: string | null
}

/** One area of a check, with what to do. */
export interface CheckSection {
  Name: string
  Errors: string[]
  Warnings: string[]
  Details: string[]
  Instructions: string[]
}

/** A server that mail programs use. */
export interface ClientConfig {
  Protocol: string
  Host: string
  Port: number
  Listener: string
  Note: string
}

/** Both files as they are on the disk, secrets left out. */
export interface ConfigFiles {
  StaticPath: string
  DynamicPath: string
  Static: string
  Dynamic: string
}

/** Signing of outgoing mail (RFC 6376). */
export interface DKIM {
  /** Selectors that sign outgoing mail. */
  Sign: string[]
  /** Keys, by selector: the name below _domainkey in DNS. */
  Selectors: Record<string, Selector>
  /**
   * New keys take the place of those that sign, by themselves, so long after the last time or after this was set;
   * at least 30 days. Records are changed where dns_updates says so, otherwise moxpy config dkim rotate status
   * tells which to change. Default: only when asked for.
   */
  RotateEvery: number | null
}

/** What the key of a selector is; without Algorithm, its file cannot be read. */
export interface DKIMKey {
  Selector: string
  Algorithm: string
  Bits: number
  /** The text of its TXT record. */
  Record: string
}

/** A report about a domain of ours. */
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

/** Messages with one outcome from one address. */
export interface DMARCRow {
  SourceIP: string
  Count: number
  Disposition: string
  DKIM: string
  SPF: string
  HeaderFrom: string
  Overrides: string[]
}

/** What others saw of a domain's mail, in messages. */
export interface DMARCSummary {
  Domain: string
  Total: number
  DispositionQuarantine: number
  DispositionReject: number
  DKIMFail: number
  SPFFail: number
  /** Why something else was done than the policy asks for. */
  PolicyOverrides: Record<string, number>
}

/** What a list says of one of our addresses. */
export interface DNSBLResult {
  IP: string
  Zone: string
  /** Only watched; incoming mail is not judged by it. */
  Monitored: boolean
  Status: "error" | "fail" | "pass"
  Explanation: string
}

/** Our addresses in block lists. */
export interface DNSBLStatus {
  Results: DNSBLResult[]
  /** Only watched. */
  MonitorZones: string[]
  /** Incoming mail is judged by them, and they are watched. */
  UsingZones: string[]
}

/** A record that a domain should have. */
export interface DNSRecord {
  Name: string
  Type: string
  TTL: number
  /** As zone files have it, in one line; of TXT in strings. */
  Value: string
  Comment: string
  Optional: boolean
  /** unknown: not looked up; different: there is another in its place; error: nobody could tell. */
  State: "different" | "error" | "missing" | "ok" | "unknown"
  /** What is there in its place, or why nobody could tell. */
  Found: string[]
}

/** What the world sees of a domain. */
export interface DomainCheck {
  Domain: string
  Sections: CheckSection[]
}

/** A domain we receive mail for. */
export interface DomainConfig {
  /** Refuse mail to and from the domain for now, and get no certificates for it. Its accounts can still log in. */
  Disabled: boolean
  /** Free text. */
  Description: string
  /** Host name shown to mail clients instead of hostname, which makes a later move to another host easy. */
  ClientSettingsDomain: string | null
  /** What begins a part of the localpart that is ignored for delivery; the first makes unique senders. */
  LocalpartCatchallSeparators: string[]
  /** Upper and lower case are different addresses. */
  LocalpartCaseSensitive: boolean
  /** Signing of outgoing mail. */
  DKIM: DKIM
  /** Receiver of DMARC aggregate reports. */
  DMARC: ReportAddress | null
  /** MTA-STS policy: senders should verify our certificates. */
  MTASTS: MTASTS | null
  /** Receiver of TLS reports. */
  TLSRPT: ReportAddress | null
  /** Routes for mail from this domain, after those of the account, before the global. */
  Routes: Route[]
  /** Addresses with several receivers, by localpart. */
  Aliases: Record<string, Alias>
}

/** A domain in a list. */
export interface DomainListed {
  Domain: string
  Disabled: boolean
}

/** Who has which address: localparts with the names of their accounts, and aliases. An empty one catches all. */
export interface DomainLocalparts {
  Accounts: Record<string, string>
  Aliases: Record<string, Alias>
}

/** A domain in both spellings. */
export interface DomainSpellings {
  /** In A-labels, as the DNS has it. */
  ASCII: string
  /** In U-labels; empty: the same. */
  Unicode: string
}

/** The dynamic file. */
export interface Domains {
  /** DNS block lists in which our own addresses are looked up from time to time. */
  MonitorDNSBLs: string[]
  /** Domains whose web requests are all redirected to another domain. */
  WebDomainRedirects: Record<string, string>
  /** Routes for outgoing mail, after those of account and domain. First match counts. */
  Routes: Route[]
  /** Domains, in their Unicode spelling. */
  Domains: Record<string, DomainConfig>
  /** Accounts. The name is not an address and is not shown to others. */
  Accounts: Record<string, Account>
  /** Web sites, asked in this order; the first that matches answers. */
  WebHandlers: WebHandler[]
}

/** What DMARC said of a message that came here. */
export interface Evaluation {
  Evaluated: string
  /** Not worth a report by itself. */
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

/** Messages that a domain's owner will get a report about. */
export interface EvaluationStat {
  Domain: string
  Count: number
  Dispositions: string[]
  /** Some of them are worth a report. */
  SendReport: boolean
}

/** A reverse proxy. */
export interface Forward {
  /** Leave out the part of the path that path_regexp matched. */
  StripPath: boolean
  /** URL that requests are forwarded to; the path is added. */
  URL: string
  /** Headers added to responses, in place of those of the other server. */
  ResponseHeaders: Record<string, string>
}

/** Messages that match in all that is set are held; empty fields match any. */
export interface HoldRule {
  ID: number
  Account: string
  SenderDomain: string
  RecipientDomain: string
}

/** A webhook that waits. */
export interface Hook {
  ID: number
  Account: string
  Event: string
  URL: string
  Submitted: string
  QueueMsgID: number
  FromID: string
  MessageID: string
  Subject: string
  Extra: Record<string, string>
  Attempts: number
  Results: HookAttempt[]
  NextAttempt: string
}

/** One POST, or what an operator did instead. */
export interface HookAttempt {
  Start: string
  /** Nanoseconds. */
  Duration: number
  URL: string
  Success: boolean
  Code: number
  Error: string
  /** The first octets of the answer. */
  Response: string
}

/** Which webhooks that wait; all set fields must match. */
export interface HookFilter {
  /** At most so many; 0: as many as match, or as a page holds. */
  Max: number
  IDs: number[] | null
  Account: string
  /** "<1h": before an hour from now on; ">-1h": in the last hour; "<now". */
  Submitted: string
  NextAttempt: string
  /** incoming, or an event of a message sent. */
  Event: string
}

/** Something in the queue of webhooks is not as it was. */
export interface HookQueueChanged {
  /** Webhooks in it. */
  Size: number
}

/** A webhook that is done. */
export interface HookRetired {
  ID: number
  Account: string
  Event: string
  URL: string
  Submitted: string
  QueueMsgID: number
  FromID: string
  MessageID: string
  Subject: string
  Extra: Record<string, string>
  Attempts: number
  Results: HookAttempt[]
  LastActivity: string
  KeepUntil: string
  Success: boolean
  /** The webhook about the same message that took its place; 0: none. */
  SupersededByID: number
}

/** Which webhooks that are done; all set fields must match. */
export interface HookRetiredFilter {
  /** At most so many; 0: as many as match, or as a page holds. */
  Max: number
  IDs: number[] | null
  Account: string
  /** "<1h": before an hour from now on; ">-1h": in the last hour; "<now". */
  Submitted: string
  LastActivity: string
  Event: string
  Success: boolean | null
}

/** As HookSort. */
export interface HookRetiredSort {
  Field: "LastActivity" | "Submitted"
  LastID: number
  Last: string | null
  Asc: boolean
}

/** The order, and behind which webhook a page begins: LastID, whose time was Last. */
export interface HookSort {
  Field: "NextAttempt" | "Submitted"
  LastID: number
  Last: string | null
  Asc: boolean
}

/** One of the built-in applications. */
export interface Internal {
  /** Path of the application; begins and ends with a slash. */
  BasePath: string
  /** admin, account, webmail or webapi. */
  Service: "account" | "admin" | "webapi" | "webmail"
}

/** The level of a package; that of the package `` counts for all others. */
export interface LogLevel {
  Package: string
  Level: string
  /** It is as the configuration says. */
  Configured: boolean
}

/** The MTA-STS policy of a domain (RFC 8461). */
export interface MTASTS {
  /** Identifies the policy; change it with every change of the policy. */
  PolicyID: string
  /** Whether senders must use verified TLS: none, testing, enforce. */
  Mode: "enforce" | "none" | "testing"
  /** How long senders may keep the policy. */
  MaxAge: number
  /** Hosts that receive mail for the domain. Default: the host name. */
  MX: string[]
}

/** A policy of another domain. */
export interface MTASTSPolicy {
  Domain: string
  Inserted: string
  LastUpdate: string | null
  LastUse: string | null
  ValidEnd: string | null
  RecordID: string
  Mode: string
  MX: string[]
  /** Nanoseconds. */
  MaxAge: number
  /** Fetching it failed, and is tried again later. */
  Backoff: boolean
  Error: string
}

/** The same for a login, with a token as from LoginPrep. */
export interface PasskeyLogin {
  Challenge: string
  RelyingParty: string
  /** How long an answer may take. */
  Seconds: number
  LoginToken: string
}

/** One attempt at delivery, or what an operator did instead. */
export interface QueueAttempt {
  Start: string
  /** Nanoseconds. */
  Duration: number
  Success: boolean
  /** Of the reply; 0 without one. */
  Code: number
  /** Enhanced status code. */
  Secode: string
  Error: string
}

/** Something in the queue of messages is not as it was. */
export interface QueueChanged {
  /** Messages in it. */
  Size: number
}

/** Which messages that wait; all set fields must match. An empty text is not set. */
export interface QueueFilter {
  /** At most so many; 0: as many as match, or as a page holds. */
  Max: number
  IDs: number[] | null
  Account: string
  /** "<1h": before an hour from now on; ">-1h": in the last hour; "<now". */
  Submitted: string
  /** A part of the sender address; @ and a domain for that domain alone. */
  From: string
  /** A part of the recipient address; @ and a domain for that domain alone. */
  To: string
  Hold: boolean | null
  NextAttempt: string
  Transport: string | null
}

/** A message for one recipient that waits. */
export interface QueueMessage {
  ID: number
  /** Copies of one submission have that of the first; 0 for one alone. */
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
  /** 0: as many as usual. */
  MaxAttempts: number
  LastAttempt: string | null
  Results: QueueAttempt[]
  /** Null: by the routes. */
  Transport: string | null
  RequireTLS: boolean | null
  IsDMARCReport: boolean
  IsTLSReport: boolean
  /** The address of ours that forwards it; empty for what was sent. */
  ForwardedBy: string
  Extra: Record<string, string>
  Hold: boolean
  NextAttempt: string
  Has8bit: boolean
  SMTPUTF8: boolean
  FutureRelease: string
}

/** The order, and behind which message a page begins: LastID, whose time was Last. */
export interface QueueSort {
  Field: "NextAttempt" | "Queued"
  LastID: number
  Last: string | null
  Asc: boolean
}

/** Another URL. */
export interface Redirect {
  /** URL that the path is added to; its own path is empty or /. */
  BaseURL: string | null
  /** Matches the path that replace_path replaces. */
  OrigPathRegexp: string | null
  /** New path; $1 is the first group of orig_path_regexp. */
  ReplacePath: string
  /** HTTP status, 300 to 399. */
  StatusCode: number
}

/** Where reports of others about a domain arrive. */
export interface ReportAddress {
  /** Localpart of the address, as in the DNS record. */
  Localpart: string
  /** Domain of the address, if not this one; it must be configured too. */
  Domain: string | null
  /** Account that receives the reports. */
  Account: string
  /** Mailbox for the reports. */
  Mailbox: string
}

/** Which messages that left the queue; all set fields must match. */
export interface RetiredFilter {
  /** At most so many; 0: as many as match, or as a page holds. */
  Max: number
  IDs: number[] | null
  Account: string
  /** "<1h": before an hour from now on; ">-1h": in the last hour; "<now". */
  Submitted: string
  From: string
  To: string
  LastActivity: string
  Transport: string | null
  Success: boolean | null
}

/** What is remembered of a message that left the queue. */
export interface RetiredMessage {
  ID: number
  /** Copies of one submission have that of the first; 0 for one alone. */
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
  /** 0: as many as usual. */
  MaxAttempts: number
  LastAttempt: string | null
  Results: QueueAttempt[]
  /** Null: by the routes. */
  Transport: string | null
  RequireTLS: boolean | null
  IsDMARCReport: boolean
  IsTLSReport: boolean
  /** The address of ours that forwards it; empty for what was sent. */
  ForwardedBy: string
  Extra: Record<string, string>
  LastActivity: string
  KeepUntil: string
  Success: boolean
}

/** As QueueSort. */
export interface RetiredSort {
  Field: "LastActivity" | "Queued"
  LastID: number
  Last: string | null
  Asc: boolean
}

/** A DKIM key. */
export interface Selector {
  /** Hash. sha1 is obsolete and refused by many. */
  Hash: "sha1" | "sha256"
  /** Which changes in transit leave the signature valid. */
  Canonicalization: Canonicalization
  /**
   * Header fields to sign. Default: From, To, Cc, Bcc, Reply-To, References, In-Reply-To, Subject, Date, Message-
   * Id, Content-Type.
   */
  Headers: string[]
  /** Allow that others add further fields of the signed names. */
  DontSealHeaders: boolean
  /** How long a signature is valid; long enough for delayed mail. Default: for ever. */
  Expiration: number | null
  /** RSA or ed25519 private key, a PKCS8 PEM file. */
  PrivateKeyFile: string
}

/** Files of a directory. */
export interface StaticSite {
  /** Start of the path that is not part of the file name. */
  StripPrefix: string
  /** Directory of the files, relative to the working directory of the server. */
  Root: string
  /** List directories that have no index.html. */
  ListFiles: boolean
  /** Follow symbolic links that lead out of the root. */
  Follow: boolean
  /** Serve files and directories whose names begin with a dot; .well-known is served always. */
  Dotfiles: boolean
  /** Go on with the next handler when there is no such file, instead of answering 404, 403 or 405. */
  ContinueNotFound: boolean
  /** Headers added to responses. */
  ResponseHeaders: Record<string, string>
}

/** How the server is. */
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

/** An address that gets no reports of ours until a moment. */
export interface SuppressAddress {
  ReportingAddress: string
  Inserted: string
  Until: string
  Comment: string
}

/** An address that an account does not send to. */
export interface SuppressionEntry {
  Account: string
  Address: string
  /** What stands for all variants of the address. */
  BaseAddress: string
  Manual: boolean
  Reason: string
  Created: string
}

/** Sessions that failed in one way. */
export interface TLSFailure {
  ResultType: string
  SendingIP: string
  ReceivingMX: string
  ReceivingIP: string
  FailedSessions: number
  ReasonCode: string
  Information: string
}

/** What became of the sessions under one policy. */
export interface TLSPolicyResult {
  PolicyType: string
  Domain: string
  MX: string[]
  SuccessfulSessions: number
  FailedSessions: number
  Failures: TLSFailure[]
}

/** Where a domain wants its TLS reports. */
export interface TLSRPTRecord {
  Record: string
  Addresses: string[]
}

/** How others came to a domain's hosts by TLS, in sessions. */
export interface TLSRPTSummary {
  Domain: string
  Success: number
  Failure: number
  ResultTypeCounts: Record<string, number>
}

/** A report about a domain or host of ours. */
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

/** Sessions of a day that we will report about. */
export interface TLSResult {
  PolicyDomain: string
  /** As 20261231. */
  DayUTC: string
  RecipientDomain: string
  /** The policy is that of a host that takes mail, by DANE; not of a domain. */
  IsHost: boolean
  SendReport: boolean
  Results: TLSPolicyResult[]
}

/** A way for mail to leave. */
export interface TransportInfo {
  Name: string
  Kind: string
  Host: string
  Port: number
  About: string
}

/** What answers requests for a domain and path. */
export interface WebHandler {
  /** Name in the log. Default: the place in this list. */
  LogName: string
  /** Domain of the requests. */
  Domain: string
  /** Matches the path of the requests; begins with ^. */
  PathRegexp: string
  /** Answer plain HTTP too, instead of redirecting to HTTPS. */
  DontRedirectPlainHTTP: boolean
  /** Compress responses when the client can take it. */
  Compress: boolean
  /** Serve files. */
  Static: StaticSite | null
  /** Redirect to another URL. */
  Redirect: Redirect | null
  /** Forward to another web server. */
  Forward: Forward | null
  /** Serve a built-in application. */
  Internal: Internal | null
}

/** The web sites, and whether anybody serves them. */
export interface Webserver {
  Config: WebserverConfig
  /** A listener has `webserver_http` or `webserver_https`. */
  Enabled: boolean
}

/** Who would answer a request. */
export interface WebserverAnswer {
  /** Places of web handlers that are asked, in order: all but the last may decline. */
  Handlers: number[]
  /** What answers when none of them does: a page of ours, `(redirect)`, `(notfound)`. */
  Otherwise: string
  /** Where a redirect leads that the server makes by itself. */
  Location: string
}

/** The web sites of the configuration. */
export interface WebserverConfig {
  /** Domains whose requests all lead to another domain. */
  WebDomainRedirects: Record<string, string>
  /** Asked in this order; the first that matches answers. */
  WebHandlers: WebHandler[]
}

/** What the stream of events tells, by kind. */
export interface Events {
  Started: Started
  ConfigChanged: ConfigChanged
  QueueChanged: QueueChanged
  HookQueueChanged: HookQueueChanged
  ServerShutdown: ServerShutdown
}

export const EVENT_KINDS: readonly (keyof Events)[] = ['Started', 'ConfigChanged', 'QueueChanged', 'HookQueueChanged', 'ServerShutdown']

/** Begin a login: a token that Login wants to see again, within half a minute. */
export function LoginPrep(): Promise<string> {
  return call<string>('LoginPrep', [])
}

/**
 * Log in with the administrator's password; the token that calls must bring in `x-mox-csrf`.
 *
 * LoginToken is what LoginPrep returned. The error `user:codeWanted` asks to call again, with LoginPrep before
 * and a
 * code of the second factor, or with PasskeyLoginPrep before and a passkey.
 */
export function Login(loginToken: string, password: string, code?: string, passkey?: PasskeyAnswer | null): Promise<string> {
  return call<string>('Login', { LoginToken: loginToken, Password: password, Code: code, Passkey: passkey })
}

/** Ask for a passkey, for PasskeyLogin, or for Login beside a password; LoginToken is as from LoginPrep. */
export function PasskeyLoginPrep(): Promise<PasskeyLogin> {
  return call<PasskeyLogin>('PasskeyLoginPrep', [])
}

/**
 * Log in with a passkey alone, one that makes sure who uses it; the token that calls must bring in `x-mox-csrf`.
 *
 * LoginToken is what PasskeyLoginPrep returned.
 */
export function PasskeyLogin(loginToken: string, passkey: PasskeyAnswer): Promise<string> {
  return call<string>('PasskeyLogin', [loginToken, passkey])
}

/** The version of the server, its operating system and architecture. */
export function Version(): Promise<VersionInfo> {
  return call<VersionInfo>('Version', [])
}

/** Which second factor there is. */
export function SecondFactor(): Promise<SecondFactorInfo> {
  return call<SecondFactorInfo>('SecondFactor', [])
}

/** How the server is, and what needs attention. */
export function Status(): Promise<Status> {
  return call<Status>('Status', [])
}

/** Whether newer versions are looked for: the configuration wants it and names where they are announced. */
export function CheckUpdatesEnabled(): Promise<boolean> {
  return call<boolean>('CheckUpdatesEnabled', [])
}

/** The names of an address; none where it has none. */
export function LookupIP(ip: string): Promise<string[]> {
  return call<string[]>('LookupIP', [ip])
}

/** The connection id in logs for an id that stands in Received fields and replies. */
export function LookupCid(recvID: string): Promise<string> {
  return call<string>('LookupCid', [recvID])
}

/** What block lists said last of our addresses. */
export function DNSBLStatus(): Promise<DNSBLStatus> {
  return call<DNSBLStatus>('DNSBLStatus', [])
}

/** The text of the configuration. */
export function ConfigFiles(): Promise<ConfigFiles> {
  return call<ConfigFiles>('ConfigFiles', [])
}

/** What counts now of domains.toml, secrets left out. */
export function Config(): Promise<Domains> {
  return call<Domains>('Config', [])
}

/** The routes for mail whose account and domain say nothing. */
export function Routes(): Promise<Route[]> {
  return call<Route[]>('Routes', [])
}

/** The transports of moxpy.toml. */
export function Transports(): Promise<TransportInfo[]> {
  return call<TransportInfo[]>('Transports', [])
}

/** The levels that count now. */
export function LogLevels(): Promise<LogLevel[]> {
  return call<LogLevel[]>('LogLevels', [])
}

/** The web sites. */
export function WebserverConfig(): Promise<Webserver> {
  return call<Webserver>('WebserverConfig', [])
}

/** Who would answer a GET of a URL here; nothing is asked in truth. */
export function WebserverAsk(url: string): Promise<WebserverAnswer> {
  return call<WebserverAnswer>('WebserverAsk', [url])
}

/** Certificates from files, then those that authorities give us, or should. */
export function TLSCertificates(): Promise<Certificate[]> {
  return call<Certificate[]>('TLSCertificates', [])
}

/** All domains, by name. */
export function Domains(): Promise<DomainListed[]> {
  return call<DomainListed[]>('Domains', [])
}

/** Both spellings of a domain of the configuration, from either. */
export function Domain(domain: string): Promise<DomainSpellings> {
  return call<DomainSpellings>('Domain', [domain])
}

/** Both spellings of any domain, from either. */
export function ParseDomain(domain: string): Promise<DomainSpellings> {
  return call<DomainSpellings>('ParseDomain', [domain])
}

/** A domain's part of the configuration. */
export function DomainConfig(domain: string): Promise<DomainConfig> {
  return call<DomainConfig>('DomainConfig', [domain])
}

/** The addresses of a domain. */
export function DomainLocalparts(domain: string): Promise<DomainLocalparts> {
  return call<DomainLocalparts>('DomainLocalparts', [domain])
}

/** The records a domain should have, and whether the DNS has them; without `check` nobody is asked. */
export function DomainRecords(domain: string, check?: boolean): Promise<DNSRecord[]> {
  return call<DNSRecord[]>('DomainRecords', { Domain: domain, Check: check })
}

/** Look at everything about a domain as the world sees it; half a minute at most. */
export function CheckDomain(domain: string): Promise<DomainCheck> {
  return call<DomainCheck>('CheckDomain', [domain])
}

/** What users of a domain enter in their mail programs. */
export function ClientConfigsDomain(domain: string): Promise<ClientConfig[]> {
  return call<ClientConfig[]>('ClientConfigsDomain', [domain])
}

/** The keys of a domain. */
export function DomainDKIMKeys(domain: string): Promise<DKIMKey[]> {
  return call<DKIMKey[]>('DomainDKIMKeys', [domain])
}

/** All accounts, by name. */
export function Accounts(): Promise<AccountListed[]> {
  return call<AccountListed[]>('Accounts', [])
}

/** One account. */
export function Account(name: string): Promise<AccountInfo> {
  return call<AccountInfo>('Account', [name])
}

/** The keys that log in by a TLS certificate; an empty account: of all. */
export function TLSPublicKeys(account: string): Promise<TLSPublicKey[]> {
  return call<TLSPublicKey[]>('TLSPublicKeys', [account])
}

/** Attempts to log in, the last first; an empty account: of all. */
export function LoginAttempts(account: string, limit: number): Promise<LoginAttempt[]> {
  return call<LoginAttempt[]>('LoginAttempts', [account, limit])
}

/** Incoming mail that was refused, the last first; an empty account: of all, `-`: for nobody in particular. */
export function RefusalList(account: string, filter: RefusalFilter, limit: number): Promise<Refusal[]> {
  return call<Refusal[]>('RefusalList', [account, filter, limit])
}

/** Those of all accounts. */
export function Suppressions(): Promise<SuppressionEntry[]> {
  return call<SuppressionEntry[]>('Suppressions', [])
}

/** How many webhooks wait. */
export function HookQueueSize(): Promise<number> {
  return call<number>('HookQueueSize', [])
}

/** Webhooks that wait; a page of them. */
export function HookList(filter: HookFilter, sort: HookSort): Promise<Hook[]> {
  return call<Hook[]>('HookList', [filter, sort])
}

/** Webhooks that are done, of accounts that remember them; a page of them. */
export function HookRetiredList(filter: HookRetiredFilter, sort: HookRetiredSort): Promise<HookRetired[]> {
  return call<HookRetired[]>('HookRetiredList', [filter, sort])
}

/** The JSON that is posted; of a very long one the beginning. */
export function HookPayload(id: number, retired: boolean): Promise<string> {
  return call<string>('HookPayload', [id, retired])
}

/** How many messages wait. */
export function QueueSize(): Promise<number> {
  return call<number>('QueueSize', [])
}

/** Messages that wait; a page of them. */
export function QueueList(filter: QueueFilter, sort: QueueSort): Promise<QueueMessage[]> {
  return call<QueueMessage[]>('QueueList', [filter, sort])
}

/** Messages that left the queue, of accounts that remember them; a page of them. */
export function RetiredList(filter: RetiredFilter, sort: RetiredSort): Promise<RetiredMessage[]> {
  return call<RetiredMessage[]>('RetiredList', [filter, sort])
}

/** The rules that hold messages. */
export function QueueHoldRuleList(): Promise<HoldRule[]> {
  return call<HoldRule[]>('QueueHoldRuleList', [])
}

/** Sums of the DMARC reports that end in a period; an empty domain: all. */
export function DMARCSummaries(start: string, end: string, domain: string): Promise<DMARCSummary[]> {
  return call<DMARCSummary[]>('DMARCSummaries', [start, end, domain])
}

/** DMARC reports that end in a period, the last first; an empty domain: all. */
export function DMARCReports(start: string, end: string, domain: string): Promise<DMARCReport[]> {
  return call<DMARCReport[]>('DMARCReports', [start, end, domain])
}

/** A DMARC report with all that is kept of it. */
export function DMARCReportID(domain: string, id: string): Promise<Record<string, unknown>> {
  return call<Record<string, unknown>>('DMARCReportID', [domain, id])
}

/** Sums of the TLS reports that end in a period; an empty domain: all. */
export function TLSRPTSummaries(start: string, end: string, domain: string): Promise<TLSRPTSummary[]> {
  return call<TLSRPTSummary[]>('TLSRPTSummaries', [start, end, domain])
}

/** TLS reports that end in a period, the last first; an empty domain: all. */
export function TLSReports(start: string, end: string, domain: string): Promise<TLSReport[]> {
  return call<TLSReport[]>('TLSReports', [start, end, domain])
}

/** A TLS report as it came (RFC 8460), but for what nobody knows the meaning of. */
export function TLSReportID(domain: string, id: string): Promise<Record<string, unknown>> {
  return call<Record<string, unknown>>('TLSReportID', [domain, id])
}

/** The domains whose owners we owe DMARC reports. */
export function DMARCEvaluationStats(): Promise<EvaluationStat[]> {
  return call<EvaluationStat[]>('DMARCEvaluationStats', [])
}

/** What a domain's owner will be told about, the first thousand. */
export function DMARCEvaluationsDomain(domain: string): Promise<Evaluation[]> {
  return call<Evaluation[]>('DMARCEvaluationsDomain', [domain])
}

/** What we will report about TLS to others. */
export function TLSRPTResults(): Promise<TLSResult[]> {
  return call<TLSResult[]>('TLSRPTResults', [])
}

/** What we will report about TLS with a host that takes mail, or about a domain's policy. */
export function TLSRPTResultsDomain(isHost: boolean, domain: string): Promise<TLSResult[]> {
  return call<TLSResult[]>('TLSRPTResultsDomain', [isHost, domain])
}

/** Look up where a domain wants its TLS reports. */
export function LookupTLSRPTRecord(domain: string): Promise<TLSRPTRecord> {
  return call<TLSRPTRecord>('LookupTLSRPTRecord', [domain])
}

/** Addresses that get no DMARC reports of ours. */
export function DMARCSuppressList(): Promise<SuppressAddress[]> {
  return call<SuppressAddress[]>('DMARCSuppressList', [])
}

/** Addresses that get no TLS reports of ours. */
export function TLSRPTSuppressList(): Promise<SuppressAddress[]> {
  return call<SuppressAddress[]>('TLSRPTSuppressList', [])
}

/** The policies of other domains that we know. */
export function MTASTSPolicies(): Promise<MTASTSPolicy[]> {
  return call<MTASTSPolicy[]>('MTASTSPolicies', [])
}

/** Let the next attempt come so many minutes from now; how many webhooks were changed. */
export function HookNextAttemptSet(filter: HookFilter, minutes: number): Promise<number> {
  return call<number>('HookNextAttemptSet', [filter, minutes])
}

/** Postpone the next attempt by so many minutes; how many webhooks were changed. */
export function HookNextAttemptAdd(filter: HookFilter, minutes: number): Promise<number> {
  return call<number>('HookNextAttemptAdd', [filter, minutes])
}

/** Post webhooks no more; how many. */
export function HookCancel(filter: HookFilter): Promise<number> {
  return call<number>('HookCancel', [filter])
}

/** Post a webhook that is done again; the id of the new one. */
export function HookReplay(id: number): Promise<number> {
  return call<number>('HookReplay', [id])
}

/** Set the lists that are only watched. */
export function MonitorDNSBLsSave(zones: string[]): Promise<void> {
  return call<void>('MonitorDNSBLsSave', [zones])
}

/** Set the routes for mail whose account and domain say nothing. */
export function RoutesSave(routes: Route[]): Promise<void> {
  return call<void>('RoutesSave', [routes])
}

/** Set all web sites. Old is what the page has shown: if that is no longer so, nothing changes. */
export function WebserverConfigSave(old: WebserverConfig, new_: WebserverConfig): Promise<void> {
  return call<void>('WebserverConfigSave', [old, new_])
}

/** Set the level of a package, or of all others; until the next start. */
export function LogLevelSet(pkg: string, level: string): Promise<void> {
  return call<void>('LogLevelSet', [pkg, level])
}

/** Let a package have the level of all others. */
export function LogLevelRemove(pkg: string): Promise<void> {
  return call<void>('LogLevelRemove', [pkg])
}

/** Add a domain with keys; with a localpart the account is new, and that its address. */
export function DomainAdd(disabled: boolean, domain: string, account: string, localpart: string): Promise<void> {
  return call<void>('DomainAdd', [disabled, domain, account, localpart])
}

/** Remove a domain with its aliases and addresses; accounts and their mail stay. */
export function DomainRemove(domain: string): Promise<void> {
  return call<void>('DomainRemove', [domain])
}

/** Refuse mail to and from a domain for now, or take it again. */
export function DomainDisabledSave(domain: string, disabled: boolean): Promise<void> {
  return call<void>('DomainDisabledSave', [domain, disabled])
}

/** Set which mail from a domain takes which transport. */
export function DomainRoutesSave(domain: string, routes: Route[]): Promise<void> {
  return call<void>('DomainRoutesSave', [domain, routes])
}

/** Set your own words about a domain. */
export function DomainDescriptionSave(domain: string, description: string): Promise<void> {
  return call<void>('DomainDescriptionSave', [domain, description])
}

/** Set the host that mail programs are told of; empty: the machine's name. */
export function DomainClientSettingsDomainSave(domain: string, clientSettingsDomain: string): Promise<void> {
  return call<void>('DomainClientSettingsDomainSave', [domain, clientSettingsDomain])
}

/** Set what begins a part of localparts that is ignored, and whether case matters. */
export function DomainLocalpartConfigSave(domain: string, separators: string[], caseSensitive: boolean): Promise<void> {
  return call<void>('DomainLocalpartConfigSave', [domain, separators, caseSensitive])
}

/** Set where DMARC reports about a domain arrive; an empty localpart: nowhere. */
export function DomainDMARCAddressSave(domain: string, localpart: string, addressDomain: string, account: string, mailbox: string): Promise<void> {
  return call<void>('DomainDMARCAddressSave', [domain, localpart, addressDomain, account, mailbox])
}

/** Set where TLS reports about a domain arrive; an empty localpart: nowhere. */
export function DomainTLSRPTAddressSave(domain: string, localpart: string, addressDomain: string, account: string, mailbox: string): Promise<void> {
  return call<void>('DomainTLSRPTAddressSave', [domain, localpart, addressDomain, account, mailbox])
}

/** Set the MTA-STS policy of a domain; an empty id: there is none. */
export function DomainMTASTSSave(domain: string, policyID: string, mode: "enforce" | "none" | "testing", maxAge: number, mx: string[]): Promise<void> {
  return call<void>('DomainMTASTSSave', [domain, policyID, mode, maxAge, mx])
}

/** Make a key. It does not sign before it is chosen: its record must be in the DNS first. */
export function DomainDKIMAdd(domain: string, selector: string, algorithm: "ed25519" | "rsa", hash: "sha1" | "sha256", headerRelaxed: boolean, bodyRelaxed: boolean, seal: boolean, headers: string[], lifetime: number | null): Promise<void> {
  return call<void>('DomainDKIMAdd', [domain, selector, algorithm, hash, headerRelaxed, bodyRelaxed, seal, headers, lifetime])
}

/** Remove a key; it signs no more. */
export function DomainDKIMRemove(domain: string, selector: string): Promise<void> {
  return call<void>('DomainDKIMRemove', [domain, selector])
}

/** Set how keys sign, and which of them do. */
export function DomainDKIMSave(domain: string, selectors: Record<string, Selector>, sign: string[]): Promise<void> {
  return call<void>('DomainDKIMSave', [domain, selectors, sign])
}

/** Add an account with an address. It has no password yet: mail arrives, and nobody can log in. */
export function AccountAdd(name: string, address: string): Promise<void> {
  return call<void>('AccountAdd', [name, address])
}

/** Remove an account with all its mail, and what it has in the queue. */
export function AccountRemove(name: string): Promise<void> {
  return call<void>('AccountRemove', [name])
}

/** Add an address to an account; `@domain` takes whatever nobody else has. */
export function AddressAdd(address: string, account: string): Promise<void> {
  return call<void>('AddressAdd', [address, account])
}

/** Remove an address from its account, and from aliases. */
export function AddressRemove(address: string): Promise<void> {
  return call<void>('AddressRemove', [address])
}

/** Set the limits of an account. */
export function AccountSettingsSave(account: string, settings: AccountSettings): Promise<void> {
  return call<void>('AccountSettingsSave', [account, settings])
}

/** Refuse all logins with a text; allow them again with an empty one. Mail arrives all the same. */
export function AccountLoginDisabledSave(account: string, message: string): Promise<void> {
  return call<void>('AccountLoginDisabledSave', [account, message])
}

/** Set which mail of an account takes which transport. */
export function AccountRoutesSave(account: string, routes: Route[]): Promise<void> {
  return call<void>('AccountRoutesSave', [account, routes])
}

/** Add an alias: an address whose mail goes to several accounts. */
export function AliasAdd(localpart: string, domain: string, alias: Alias): Promise<void> {
  return call<void>('AliasAdd', [localpart, domain, alias])
}

/** Set who may write to an alias, whether members see each other and may send with it. */
export function AliasUpdate(localpart: string, domain: string, postPublic: boolean, listMembers: boolean, allowMsgFrom: boolean): Promise<void> {
  return call<void>('AliasUpdate', [localpart, domain, postPublic, listMembers, allowMsgFrom])
}

/** Remove an alias. */
export function AliasRemove(localpart: string, domain: string): Promise<void> {
  return call<void>('AliasRemove', [localpart, domain])
}

/** Add members. */
export function AliasAddressesAdd(localpart: string, domain: string, addresses: string[]): Promise<void> {
  return call<void>('AliasAddressesAdd', [localpart, domain, addresses])
}

/** Remove members; if one of them is none, nothing is changed. */
export function AliasAddressesRemove(localpart: string, domain: string, addresses: string[]): Promise<void> {
  return call<void>('AliasAddressesRemove', [localpart, domain, addresses])
}

/** Forward to addresses outside. */
export function AliasForwardsAdd(localpart: string, domain: string, addresses: string[]): Promise<void> {
  return call<void>('AliasForwardsAdd', [localpart, domain, addresses])
}

/** Forward to addresses outside no more. */
export function AliasForwardsRemove(localpart: string, domain: string, addresses: string[]): Promise<void> {
  return call<void>('AliasForwardsRemove', [localpart, domain, addresses])
}

/** Let an account send to an address again. */
export function SuppressionRemove(account: string, address: string): Promise<void> {
  return call<void>('SuppressionRemove', [account, address])
}

/** Let the next attempt come so many minutes from now; how many messages were changed. */
export function QueueNextAttemptSet(filter: QueueFilter, minutes: number): Promise<number> {
  return call<number>('QueueNextAttemptSet', [filter, minutes])
}

/** Postpone the next attempt by so many minutes, or let it come earlier; how many messages were changed. */
export function QueueNextAttemptAdd(filter: QueueFilter, minutes: number): Promise<number> {
  return call<number>('QueueNextAttemptAdd', [filter, minutes])
}

/** Put messages on hold, or let them go; how many were changed. */
export function QueueHoldSet(filter: QueueFilter, hold: boolean): Promise<number> {
  return call<number>('QueueHoldSet', [filter, hold])
}

/** Give messages up: their senders are told; how many. */
export function QueueFail(filter: QueueFilter): Promise<number> {
  return call<number>('QueueFail', [filter])
}

/** Remove messages and tell nobody; how many. */
export function QueueDrop(filter: QueueFilter): Promise<number> {
  return call<number>('QueueDrop', [filter])
}

/** Demand verified TLS all the way, do without any, or neither; how many were changed. */
export function QueueRequireTLSSet(filter: QueueFilter, requireTLS: boolean | null): Promise<number> {
  return call<number>('QueueRequireTLSSet', [filter, requireTLS])
}

/** Send by a transport whatever the routes say; empty: by the routes again. How many were changed. */
export function QueueTransportSet(filter: QueueFilter, transport: string): Promise<number> {
  return call<number>('QueueTransportSet', [filter, transport])
}

/** Hold what matches in all that is given: messages that wait, and those to come. */
export function QueueHoldRuleAdd(account: string, senderDomain: string, recipientDomain: string): Promise<HoldRule> {
  return call<HoldRule>('QueueHoldRuleAdd', [account, senderDomain, recipientDomain])
}

/** Remove a rule; what it held stays on hold. */
export function QueueHoldRuleRemove(id: number): Promise<void> {
  return call<void>('QueueHoldRuleRemove', [id])
}

/** Owe a domain nothing for what came until now. */
export function DMARCRemoveEvaluations(domain: string): Promise<void> {
  return call<void>('DMARCRemoveEvaluations', [domain])
}

/** Report nothing about a policy domain for a day, given as 20261231. */
export function TLSRPTRemoveResults(isHost: boolean, domain: string, day: string): Promise<void> {
  return call<void>('TLSRPTRemoveResults', [isHost, domain, day])
}

/** Send no DMARC reports to an address until a moment. */
export function DMARCSuppressAdd(reportingAddress: string, until: string, comment: string): Promise<void> {
  return call<void>('DMARCSuppressAdd', [reportingAddress, until, comment])
}

/** Send DMARC reports to an address again. */
export function DMARCSuppressRemove(reportingAddress: string): Promise<void> {
  return call<void>('DMARCSuppressRemove', [reportingAddress])
}

/** Send none until another moment. */
export function DMARCSuppressExtend(reportingAddress: string, until: string): Promise<void> {
  return call<void>('DMARCSuppressExtend', [reportingAddress, until])
}

/** Send no TLS reports to an address until a moment. */
export function TLSRPTSuppressAdd(reportingAddress: string, until: string, comment: string): Promise<void> {
  return call<void>('TLSRPTSuppressAdd', [reportingAddress, until, comment])
}

/** Send TLS reports to an address again. */
export function TLSRPTSuppressRemove(reportingAddress: string): Promise<void> {
  return call<void>('TLSRPTSuppressRemove', [reportingAddress])
}

/** Send none until another moment. */
export function TLSRPTSuppressExtend(reportingAddress: string, until: string): Promise<void> {
  return call<void>('TLSRPTSuppressExtend', [reportingAddress, until])
}

/** End the session of this browser. */
export function Logout(): Promise<void> {
  return call<void>('Logout', [])
}

/** Offer a new secret, for TOTPConfirm. */
export function TOTPBegin(): Promise<TOTPOffer> {
  return call<TOTPOffer>('TOTPBegin', [])
}

/**
 * Ask for codes at logins from now on; Code shows that the secret works. Returns recovery codes, shown once.
 *
 * Where there are passkeys, it takes one, too.
 */
export function TOTPConfirm(secret: string, code: string, passkey?: PasskeyAnswer | null): Promise<string[]> {
  return call<string[]>('TOTPConfirm', { Secret: secret, Code: code, Passkey: passkey })
}

/** Ask for codes no more. It takes one, a recovery code or a passkey. */
export function TOTPRemove(code: string, passkey?: PasskeyAnswer | null): Promise<void> {
  return call<void>('TOTPRemove', { Code: code, Passkey: passkey })
}

/** New recovery codes, shown once, in place of all others. It takes a code or a passkey. */
export function RecoveryCodesRenew(code: string, passkey?: PasskeyAnswer | null): Promise<string[]> {
  return call<string[]>('RecoveryCodesRenew', { Code: code, Passkey: passkey })
}

/** Ask for a passkey, for functions that take one. */
export function PasskeyAsk(): Promise<PasskeyQuestion> {
  return call<PasskeyQuestion>('PasskeyAsk', [])
}

/**
 * What a browser needs to make a passkey, for PasskeyAdd.
 *
 * Where there is a second factor already, it takes a code, a recovery code or a passkey.
 */
export function PasskeyBegin(code?: string, passkey?: PasskeyAnswer | null): Promise<PasskeyOffer> {
  return call<PasskeyOffer>('PasskeyBegin', { Code: code, Passkey: passkey })
}

/**
 * Keep a passkey that was made of what PasskeyBegin returned; from now on one is asked for beside the password.
 *
 * Returns recovery codes, shown once, if there were none before; else nothing.
 */
export function PasskeyAdd(name: string, passkey: NewPasskey): Promise<string[]> {
  return call<string[]>('PasskeyAdd', [name, passkey])
}

/** Call a passkey otherwise. */
export function PasskeyRename(id: string, name: string): Promise<void> {
  return call<void>('PasskeyRename', [id, name])
}

/**
 * Take a passkey away. It takes a code, a recovery code or a passkey, which may be the same one.
 *
 * The browser or device keeps its half until it is removed there.
 */
export function PasskeyRemove(id: string, code?: string, passkey?: PasskeyAnswer | null): Promise<void> {
  return call<void>('PasskeyRemove', { ID: id, Code: code, Passkey: passkey })
}

/** The tokens for scripts, oldest first. */
export function APITokenList(): Promise<APIToken[]> {
  return call<APIToken[]>('APITokenList', [])
}

/** Make a token: scripts send it as `Authorization: Bearer ...`. `read` changes nothing, `change` may settings. */
export function APITokenAdd(label: string, scopes: string[], expiresIn?: number | null): Promise<NewAPIToken> {
  return call<NewAPIToken>('APITokenAdd', { Label: label, Scopes: scopes, ExpiresIn: expiresIn })
}

/** Take a token back. */
export function APITokenRemove(id: string): Promise<void> {
  return call<void>('APITokenRemove', [id])
}

/** The browsers that are logged in as administrator, the one used last first. */
export function Sessions(): Promise<Session[]> {
  return call<Session[]>('Sessions', [])
}

/** Log a browser out. */
export function SessionRemove(id: string): Promise<void> {
  return call<void>('SessionRemove', [id])
}

/** Set the password of an account; what was opened with the former one ends. */
export function SetPassword(account: string, password: string): Promise<void> {
  return call<void>('SetPassword', [account, password])
}
