// Types of several applications, made by build/typescript_api.py of the server's tables: do not edit.

/** A token for scripts. */
export interface APIToken {
  ID: string
  Label: string
  /** `read`, `change`. */
  Scopes: string[]
  Created: string
  /** null: never. */
  Expires: string | null
  /** To some minutes; null: never. */
  LastUsed: string | null
}

/** Junk flags set when a message is moved to a mailbox. */
export interface AutomaticJunkFlags {
  /** Set flags by the mailbox a message is moved to. */
  Enabled: boolean
  /** Lower-cased names of mailboxes whose messages are junk. */
  JunkMailboxRegexp: string | null
  /** Lower-cased names of mailboxes whose messages say nothing. */
  NeutralMailboxRegexp: string | null
  /** Lower-cased names of mailboxes whose messages are not junk. With two of the three, the rest is the third. */
  NotJunkMailboxRegexp: string | null
}

/** The configuration of the account, or for the administrator any of it, is not what it was. */
export interface ConfigChanged {
}

/** What happens with mail to an address. */
export interface Destination {
  /** Mailbox when no ruleset matches. Default: Inbox. */
  Mailbox: string | null
  /** Name in From for this address. */
  FullName: string
  /** Refuse all mail: 421 (for now) or 550 (for good), and optionally a text. */
  SMTPError: string | null
  /** Refuse, with this text, mail whose From is not verified by SPF or DKIM. */
  MessageAuthRequiredSMTPError: string | null
  /** Addresses of other servers that get a copy of what is accepted here and is not junk. */
  Forward: string[]
  /** Keep no copy of what is forwarded. What is not forwarded, or cannot be delivered there, is kept. */
  ForwardOnly: boolean
  /** Rules for delivery; the first that matches is used. */
  Rulesets: Ruleset[]
}

/** Told about messages received. */
export interface IncomingWebhook {
  /** URL that gets a POST for each message. */
  URL: string
  /** Value of the Authorization header. */
  Authorization: string
}

/** The Bayesian filter over words of messages. */
export interface JunkFilter {
  /** Probability from which a message is junk, above 0 and at most 1. */
  Threshold: number
  /** Look at single words. */
  Onegrams: boolean
  /** Look at pairs of words. */
  Twograms: boolean
  /** Look at three words in a row. */
  Threegrams: boolean
  /** How far a single word may go towards certainty: 0.01 keeps it in 1% to 99%. */
  MaxPower: number
  /** How many of the most telling words count, of each side. */
  TopWords: number
  /** Ignore words this near to 0.5. */
  IgnoreWords: number
  /** Words seen at most this often count less. */
  RareWords: number
}

/** Attempts to log in that differ only in their moment. */
export interface LoginAttempt {
  /** `-` where there is no such account. */
  Account: string
  LoginAddress: string
  /** ok, badcreds, badchanbind, badprotocol, logindisabled, aborted or error. */
  Result: string
  Count: number
  First: string
  Last: string
  Protocol: string
  AuthMech: string
  UserAgent: string
  RemoteIP: string
  LocalIP: string
  /** Version and cipher; empty without TLS. */
  TLS: string
  TLSPubKeyFingerprint: string
}

/** A token, the only time it is shown. */
export interface NewAPIToken {
  ID: string
  Token: string
}

/** A passkey that was made: the parts of an AuthenticatorAttestationResponse. */
export interface NewPasskey {
  ClientData: string
  AttestationObject: string
}

/** Told about what becomes of messages sent. */
export interface OutgoingWebhook {
  /** URL that gets a POST for each event. */
  URL: string
  /** Value of the Authorization header. */
  Authorization: string
  /** Which events: delivered, suppressed, delayed, failed, relayed, expanded, canceled, unrecognized. Default: all. */
  Events: ("canceled" | "delayed" | "delivered" | "expanded" | "failed" | "relayed" | "suppressed" | "unrecognized")[]
}

/** A key pair of a browser, a device or a password manager, of which the public half is here. */
export interface Passkey {
  ID: string
  Name: string
  /** Where it works: the name of this server at which it was added. */
  Host: string
  Created: string
  /** null: never. */
  LastUsed: string | null
}

/** What an authenticator answered: the parts of a PublicKeyCredential with an AuthenticatorAssertionResponse. */
export interface PasskeyAnswer {
  CredentialID: string
  ClientData: string
  AuthenticatorData: string
  Signature: string
  UserHandle: string
}

/** For `navigator.credentials.create`: residentKey `required`, userVerification `preferred`, attestation `none`. */
export interface PasskeyOffer {
  Challenge: string
  RelyingParty: string
  /** How long an answer may take. */
  Seconds: number
  UserHandle: string
  UserName: string
  /** Of COSE, the best first. */
  Algorithms: number[]
  /** Credentials that are there already. */
  Exclude: string[]
}

/** For `navigator.credentials.get`: userVerification `preferred`, and no list of credentials. */
export interface PasskeyQuestion {
  Challenge: string
  RelyingParty: string
  /** How long an answer may take. */
  Seconds: number
}

/** Mail that was not taken. Attempts at the same message for the same reason are one. */
export interface Refusal {
  /** `-`: nobody's, or not known yet when it was refused. */
  Account: string
  /** helo, mail, rcpt or data; empty: one record of many, of which no more is known. */
  Stage: string
  Reason: string
  /** The reason in words. */
  Why: string
  /** What to do about it. */
  Remedy: string
  /** A network in a record of many; empty: any. */
  RemoteIP: string
  Helo: string
  /** `<>`: the null path of notices; empty: none was given yet. */
  MailFrom: string
  RcptTo: string
  /** The address in From. */
  MsgFrom: string
  MessageID: string
  Size: number
  Code: number
  /** The enhanced status code of the reply. */
  Status: string
  /** Of the reply. */
  Text: string
  /** What spoke for and against the message. */
  Details: string[]
  SPF: string
  /** Domains with a valid signature. */
  DKIM: string[]
  DMARC: string
  Iprev: string
  /** Where a copy is; empty: there is none. */
  Mailbox: string
  ReceivedID: string
  /** Of the last connection, in the log. */
  Cid: string
  First: string
  Last: string
  Count: number
}

/** Which refusals; what is empty lets all pass. */
export interface RefusalFilter {
  /** Part of MAIL FROM, RCPT TO or From. */
  Address: string
  /** An IP address or a network. */
  IP: string
  Reason: string
  /** As replies have it in parentheses behind their text, and Received fields. */
  ReceivedID: string
  Since: string | null
  Before: string | null
}

/** Which mail takes which transport. */
export interface Route {
  /** Domains of the sender; ".example.org" is a domain and all below, "." no domain. Empty matches all. */
  FromDomain: string[]
  /** Domains of the recipient; ".example.org" is a domain and all below. Empty matches all. */
  ToDomain: string[]
  /** Only for messages that had at least this many attempts at delivery. */
  MinimumAttempts: number
  /** Transport to use, from the static file. */
  Transport: string
}

/** Conditions, which must all hold, and what then happens to a message. */
export interface Ruleset {
  /** Matches the SMTP sender address. */
  SMTPMailFromRegexp: string | null
  /** Matches the address in From. */
  MsgFromRegexp: string | null
  /** Matches when SPF or DKIM vouch for this domain or one below it. */
  VerifiedDomain: string | null
  /** Patterns for names and values of header fields, both lower-cased; each needs one field that matches. */
  HeadersRegexp: Record<string, string>
  /** Mail is forwarded to us by verified_domain: do not judge it by that server's address. */
  IsForward: boolean
  /** Mailing list: accept when this domain is verified, whatever else speaks against it. */
  ListAllowDomain: string | null
  /** Accept what would be refused, into this mailbox. */
  AcceptRejectsToMailbox: string | null
  /** Mailbox for the message. Default: that of the destination. */
  Mailbox: string | null
  /** Free text. */
  Comment: string
}

/** What a login in a browser must show beside the password. */
export interface SecondFactorInfo {
  /** Codes of a program are asked for. */
  TOTP: boolean
  /** Since when. */
  Created: string | null
  RecoveryCodesLeft: number
  /** Mail programs need app passwords. */
  AppPasswordsOnly: boolean
  /** Oldest first; where there are some, one of them is asked for, or a code. */
  Passkeys: Passkey[]
}

/** The server stops; it may be back soon. */
export interface ServerShutdown {
}

/** A browser that is logged in. */
export interface Session {
  ID: string
  /** `account`, `webmail` or `admin`. */
  Application: string
  LoginAddress: string
  Created: string
  /** To about five minutes. */
  LastUsed: string
  /** When it ends, unless it is used before. */
  Expires: string
  RemoteIP: string
  UserAgent: string
  /** It is the one that asks. */
  IsCurrent: boolean
}

/** The stream begins: what was told by an earlier one may be old. */
export interface Started {
  /** Of the server; a page of another version should be loaded again. */
  Version: string
}

/** A token with which a refused sender may try again. */
export interface SubjectPass {
  /** How long a token is valid. Default: no tokens. */
  Period: number | null
}

/** A key that logs a client in by its TLS certificate. */
export interface TLSPublicKey {
  /** SHA-256 of the DER SubjectPublicKeyInfo, in unpadded base64url. */
  Fingerprint: string
  Created: string
  /** `rsa-<bits>`, `ecdsa-<curve>` or `ed25519`. */
  Type: string
  Name: string
  /** IMAP does not begin logged in: some programs insist on logging in. */
  NoIMAPPreauth: boolean
  Account: string
  LoginAddress: string
}

/** A secret to put into a program that makes codes; it counts when it is confirmed. */
export interface TOTPOffer {
  /** Base32, to be typed. */
  Secret: string
  /** otpauth: as programs read it. */
  URI: string
  /** The same as a picture: a data: URL of an SVG. */
  QRCode: string
}

/** The program, and what it runs on. */
export interface VersionInfo {
  Version: string
  Os: string
  Arch: string
}
