// The functions of moxpy account, made by build/typescript_api.py of the server's tables: do not edit.

import type {
  APIToken, AutomaticJunkFlags, ConfigChanged, Destination, IncomingWebhook, JunkFilter, LoginAttempt,
  NewAPIToken, NewPasskey, OutgoingWebhook, PasskeyAnswer, PasskeyOffer, PasskeyQuestion, Refusal,
  RefusalFilter, Route, Ruleset, SecondFactorInfo, ServerShutdown, Session, Started, SubjectPass, TLSPublicKey,
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

/** An account as its owner sees it. */
export interface AccountInfo {
  /** Of the account; not an address. */
  Name: string
  /** The address of this login. */
  LoginAddress: string
  Config: Account
  /** Octets of messages. */
  StorageUsed: number
  /** Most octets; 0: no limit. */
  StorageLimit: number
}

/** An alias that an address of the account is a member of. */
export interface AliasMembership {
  /** Its address. */
  Alias: string
  /** The addresses of this account that are its members. */
  SubscriptionAddresses: string[]
  /** Anyone may write to it, not its members alone. */
  PostPublic: boolean
  /** Members may send with it in From. */
  AllowMsgFrom: boolean
  /** All its members; null where members do not see each other. */
  Members: string[] | null
}

/** A password for one program or device. */
export interface AppPassword {
  ID: number
  Label: string
  /** Where it may be used; `send`, `suppression`: by the webapi for that alone. */
  Protocols: string[]
  Created: string
  /** null: never. */
  Expires: string | null
  /** To about an hour; null: never. */
  LastUsed: string | null
}

/** Settings for Apple's devices. */
export interface AppleProfile {
  /** Where a device gets its profile. */
  URL: string
  /** The same as a picture: a data: URL of an SVG. */
  QRCode: string
}

/** A server for mail programs. */
export interface ClientConfig {
  /** Of the addresses it is for. */
  Domain: string
  /** As people know it: `IMAP (TLS)`, `Submission`. */
  Protocol: string
  Host: string
  Port: number
  /** How the connection is secured. */
  Note: string
}

/** A message that came in for one recipient. */
export interface Incoming {
  Version: number
  From: NameAddress[]
  To: NameAddress[]
  CC: NameAddress[]
  BCC: NameAddress[]
  ReplyTo: NameAddress[]
  Subject: string
  MessageID: string
  InReplyTo: string
  References: string[]
  Date: string | null
  Text: string
  HTML: string
  Structure: Structure
  Meta: IncomingMeta
}

/** How a message came, and where it is. */
export interface IncomingMeta {
  MsgID: number
  MailFrom: string
  MailFromValidated: boolean
  MsgFromValidated: boolean
  RcptTo: string
  DKIMVerifiedDomains: string[]
  RemoteIP: string
  Received: string
  MailboxName: string
  Automated: boolean
}

/** A mailbox of the account. */
export interface Mailbox {
  ID: number
  Name: string
  /** Of `Archive`, `Drafts`, `Junk`, `Sent`, `Trash`. */
  SpecialUse: string[]
  Messages: number
  Unread: number
  /** Octets. */
  Size: number
}

/** A mailbox is new, or has other messages, or another name. */
export interface MailboxCounts {
  MailboxID: number
  Name: string
  Messages: number
  Unread: number
  /** Octets. */
  Size: number
}

/** A mailbox is gone. */
export interface MailboxRemoved {
  MailboxID: number
  Name: string
}

/** An address with its display name, which may be empty. */
export interface NameAddress {
  Name: string
  Address: string
}

/** An app password, the only time it is shown. */
export interface NewAppPassword {
  ID: number
  Password: string
}

/** What became of a message in the queue, or was heard of it later. */
export interface Outgoing {
  Version: number
  Event: "delivered" | "suppressed" | "delayed" | "failed" | "relayed" | "expanded" | "canceled" | "unrecognized"
  DSN: boolean
  Suppressing: boolean
  QueueMsgID: number
  FromID: string
  MessageID: string
  Subject: string
  WebhookQueued: string
  SMTPCode: number
  SMTPEnhancedCode: string
  Error: string
  Extra: Record<string, string>
}

/** The same for a login, with a token as from LoginPrep. */
export interface PasskeyLogin {
  Challenge: string
  RelyingParty: string
  /** How long an answer may take. */
  Seconds: number
  LoginToken: string
}

/** A message that a ruleset matches. */
export interface RulesetMatch {
  Received: string
  MsgFrom: string
  Subject: string
}

/** What a ruleset would have done. */
export interface RulesetPreview {
  /** Messages that came by SMTP and were compared. */
  LookedAt: number
  Matches: RulesetMatch[]
  /** The expressions take too much work; as at delivery, the rest was not compared. */
  GaveUp: boolean
}

/** The account holds more, or less. */
export interface StorageChanged {
  /** Octets of messages. */
  Used: number
}

/** A MIME part and those within it. Messages within are leaves. */
export interface Structure {
  ContentType: string
  ContentTypeParams: Record<string, string>
  ContentID: string
  ContentDisposition: string
  Filename: string
  DecodedSize: number
  Parts: Structure[]
}

/** An address that the account does not send to any more. */
export interface Suppression {
  ID: number
  Created: string
  /** What stands for all variants of the address. */
  BaseAddress: string
  /** As it was written when it was added. */
  OriginalAddress: string
  /** Added by a person, not because a delivery failed. */
  Manual: boolean
  Reason: string
}

/** What is replied, and when. */
export interface Vacation {
  Enabled: boolean
  /** Mail that comes from then on is answered. Null: at once. */
  Start: string | null
  /** Mail that comes before then is answered. Null: until it is switched off. */
  End: string | null
  /** Null: that of the message, with Auto: before it. */
  Subject: string | null
  /** Null: made of the HTML, or a usual sentence. */
  Text: string | null
  /** Null: the reply is plain text. */
  HTML: string | null
  /** Days after which somebody who was answered gets another reply, from 1 to 60. */
  Days: number
}

/** What came of a POST. */
export interface WebhookTest {
  /** The response was 200; nothing else counts. */
  Success: boolean
  /** HTTP status; 0 without a response. */
  Code: number
  /** The beginning of its body. */
  Response: string
  /** What went wrong; empty when nothing did. */
  Error: string
  /** Nanoseconds. */
  Duration: number
}

/** What the stream of events tells, by kind. */
export interface Events {
  Started: Started
  ConfigChanged: ConfigChanged
  MailboxCounts: MailboxCounts
  MailboxRemoved: MailboxRemoved
  StorageChanged: StorageChanged
  ServerShutdown: ServerShutdown
}

export const EVENT_KINDS: readonly (keyof Events)[] = ['Started', 'ConfigChanged', 'MailboxCounts', 'MailboxRemoved', 'StorageChanged', 'ServerShutdown']

/** Begin a login: a token that Login wants to see again, within half a minute. */
export function LoginPrep(): Promise<string> {
  return call<string>('LoginPrep', [])
}

/**
 * Log in with an address and the account's password; the token that calls must bring in `x-mox-csrf`.
 *
 * LoginToken is what LoginPrep returned. The error `user:codeWanted` asks to call again, with LoginPrep before
 * and a
 * code of the second factor, or with PasskeyLoginPrep before and a passkey.
 */
export function Login(loginToken: string, username: string, password: string, code?: string, passkey?: PasskeyAnswer | null): Promise<string> {
  return call<string>('Login', { LoginToken: loginToken, Username: username, Password: password, Code: code, Passkey: passkey })
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

/** The account: its part of the configuration, and the space it uses. */
export function Account(): Promise<AccountInfo> {
  return call<AccountInfo>('Account', [])
}

/** The aliases whose mail comes to this account. */
export function Aliases(): Promise<AliasMembership[]> {
  return call<AliasMembership[]>('Aliases', [])
}

/** The mailboxes of the account, by name, Inbox first. */
export function Mailboxes(): Promise<Mailbox[]> {
  return call<Mailbox[]>('Mailboxes', [])
}

/** Mail for the account that was refused, the last first. */
export function RefusalList(filter: RefusalFilter, limit: number): Promise<Refusal[]> {
  return call<Refusal[]>('RefusalList', [filter, limit])
}

/** The servers for each domain that the account has addresses of, the best ones first. */
export function ClientConfigs(): Promise<ClientConfig[]> {
  return call<ClientConfig[]>('ClientConfigs', [])
}

/** Where Apple's devices get settings for an address of the account; null where they are not served. */
export function AppleProfile(address: string): Promise<AppleProfile | null> {
  return call<AppleProfile | null>('AppleProfile', [address])
}

/** Which of the newest messages of a mailbox a ruleset matches, newest first; it need not be saved. */
export function RulesetPreview(ruleset: Ruleset, mailbox?: string, limit?: number): Promise<RulesetPreview> {
  return call<RulesetPreview>('RulesetPreview', { Ruleset: ruleset, Mailbox: mailbox, Limit: limit })
}

/** The addresses that are not sent to, newest first. */
export function SuppressionList(): Promise<Suppression[]> {
  return call<Suppression[]>('SuppressionList', [])
}

/** What is replied to mail while nobody reads it. */
export function VacationGet(): Promise<Vacation> {
  return call<Vacation>('VacationGet', [])
}

/** All IMAP capabilities that may be kept from being announced, in upper case. */
export function IMAPCapabilities(): Promise<string[]> {
  return call<string[]>('IMAPCapabilities', [])
}

/** The app passwords of the account, oldest first. */
export function AppPasswordList(): Promise<AppPassword[]> {
  return call<AppPassword[]>('AppPasswordList', [])
}

/** What an app password may be for. */
export function AppPasswordProtocols(): Promise<string[]> {
  return call<string[]>('AppPasswordProtocols', [])
}

/** The keys that log in by their TLS certificate. */
export function TLSPublicKeys(): Promise<TLSPublicKey[]> {
  return call<TLSPublicKey[]>('TLSPublicKeys', [])
}

/** The last attempts to log in to the account, newest first; 0: all that are kept. */
export function LoginAttempts(limit: number): Promise<LoginAttempt[]> {
  return call<LoginAttempt[]>('LoginAttempts', [limit])
}

/** Set the name in From of messages written here. */
export function AccountSaveFullName(fullName: string): Promise<void> {
  return call<void>('AccountSaveFullName', [fullName])
}

/**
 * Change what happens with mail to an address, spelled as in Destinations of the account.
 *
 * Old is what the page has shown: if that is no longer what is set, nothing changes and there is an error.
 */
export function DestinationSave(address: string, old: Destination, new_: Destination): Promise<void> {
  return call<void>('DestinationSave', [address, old, new_])
}

/** Set who is told about what becomes of messages sent; null: nobody. */
export function OutgoingWebhookSave(webhook: OutgoingWebhook | null): Promise<void> {
  return call<void>('OutgoingWebhookSave', [webhook])
}

/** Set who is told about messages received; null: nobody. */
export function IncomingWebhookSave(webhook: IncomingWebhook | null): Promise<void> {
  return call<void>('IncomingWebhookSave', [webhook])
}

/** Set the key that webhooks are signed with; null: they are not signed. */
export function WebhookSecretSave(secret: string | null): Promise<void> {
  return call<void>('WebhookSecretSave', [secret])
}

/** Post once what a webhook about a message sent would say: nothing is kept of it, nor tried again. */
export function OutgoingWebhookTest(url: string, authorization: string, data: Outgoing): Promise<WebhookTest> {
  return call<WebhookTest>('OutgoingWebhookTest', [url, authorization, data])
}

/** Post once what a webhook about a message received would say: nothing is kept of it, nor tried again. */
export function IncomingWebhookTest(url: string, authorization: string, data: Incoming): Promise<WebhookTest> {
  return call<WebhookTest>('IncomingWebhookTest', [url, authorization, data])
}

/** Set the addresses whose logins send with unique sender addresses; of this account, with a separator. */
export function FromIDLoginAddressesSave(addresses: string[]): Promise<void> {
  return call<void>('FromIDLoginAddressesSave', [addresses])
}

/** Set how long messages and webhooks are remembered after their end; null: not at all. */
export function KeepRetiredPeriodsSave(messages: number | null, webhooks: number | null): Promise<void> {
  return call<void>('KeepRetiredPeriodsSave', [messages, webhooks])
}

/** Set by which mailbox a moved message counts as junk or not. */
export function AutomaticJunkFlagsSave(flags: AutomaticJunkFlags): Promise<void> {
  return call<void>('AutomaticJunkFlagsSave', [flags])
}

/** Set the filter by content; null: none. Threegrams are the administrator's to set, and stay as they are. */
export function JunkFilterSave(junkFilter: JunkFilter | null): Promise<void> {
  return call<void>('JunkFilterSave', [junkFilter])
}

/** Set the mailbox for copies of refused mail, null for no copies, and whether it is never cleaned. */
export function RejectsSave(mailbox: string | null, keep: boolean): Promise<void> {
  return call<void>('RejectsSave', [mailbox, keep])
}

/** Set the mailbox for accepted mail of senders without history; null: the usual one. */
export function IntroboxSave(mailbox: string | null): Promise<void> {
  return call<void>('IntroboxSave', [mailbox])
}

/** Set the IMAP capabilities that are not announced, for mail programs that misuse them. */
export function IMAPSave(disabledCapabilities: string[]): Promise<void> {
  return call<void>('IMAPSave', [disabledCapabilities])
}

/** Abort an import; what it has added is taken back. */
export function ImportAbort(importToken: string): Promise<void> {
  return call<void>('ImportAbort', [importToken])
}

/** Add an address by hand. */
export function SuppressionAdd(address: string, reason?: string): Promise<Suppression> {
  return call<Suppression>('SuppressionAdd', { Address: address, Reason: reason })
}

/** Remove an address, given in any of its variants. */
export function SuppressionRemove(address: string): Promise<void> {
  return call<void>('SuppressionRemove', [address])
}

/** Set what is replied. Who was answered before hears it again when replies are switched on. */
export function VacationSave(new_: Vacation): Promise<void> {
  return call<void>('VacationSave', [new_])
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

/** Set whether mail programs must use app passwords, so that the account's own is for browsers alone. */
export function AppPasswordsOnlySave(on: boolean): Promise<void> {
  return call<void>('AppPasswordsOnlySave', [on])
}

/** Set the password of the account. All other sessions end, and connections of mail programs that used it. */
export function SetPassword(password: string): Promise<void> {
  return call<void>('SetPassword', [password])
}

/** Set a new password, made here, and return it; nobody can look it up later. All other sessions end. */
export function GeneratePassword(): Promise<string> {
  return call<string>('GeneratePassword', [])
}

/** Make a password for one program or device. Without protocols it is for those that mail programs need. */
export function AppPasswordAdd(label: string, protocols?: string[] | null, expiresIn?: number | null): Promise<NewAppPassword> {
  return call<NewAppPassword>('AppPasswordAdd', { Label: label, Protocols: protocols, ExpiresIn: expiresIn })
}

/** Take an app password back; connections that used it end. */
export function AppPasswordRemove(id: number): Promise<void> {
  return call<void>('AppPasswordRemove', [id])
}

/** Let the key of a certificate log in with an address of the account; without a name it has the certificate's. */
export function TLSPublicKeyAdd(loginAddress: string, name: string, noIMAPPreauth: boolean, certPEM: string): Promise<TLSPublicKey> {
  return call<TLSPublicKey>('TLSPublicKeyAdd', [loginAddress, name, noIMAPPreauth, certPEM])
}

/** Change what a key logs in with, how it is called, and whether IMAP begins logged in by it. */
export function TLSPublicKeyUpdate(fingerprint: string, loginAddress: string, name: string, noIMAPPreauth: boolean): Promise<TLSPublicKey> {
  return call<TLSPublicKey>('TLSPublicKeyUpdate', [fingerprint, loginAddress, name, noIMAPPreauth])
}

/** Forget a key; connections that it opened end. */
export function TLSPublicKeyRemove(fingerprint: string): Promise<void> {
  return call<void>('TLSPublicKeyRemove', [fingerprint])
}

/** The browsers that are logged in, the one used last first. */
export function Sessions(): Promise<Session[]> {
  return call<Session[]>('Sessions', [])
}

/** Log a browser out. */
export function SessionRemove(id: string): Promise<void> {
  return call<void>('SessionRemove', [id])
}

/** Log all browsers out but this one. */
export function SessionsRemoveOthers(): Promise<void> {
  return call<void>('SessionsRemoveOthers', [])
}
