// JMAP as our server speaks it: RFC 8620 (core), RFC 8621 (mail), RFC 9425 (quotas) and its own capability.
//
// `Methods` says of every method what it takes and what it answers; `accountId` is left out, the client adds it.

export type Id = string
/** `2026-11-26T10:00:00Z`. */
export type UTCDate = string

export const CORE = 'urn:ietf:params:jmap:core'
export const MAIL = 'urn:ietf:params:jmap:mail'
export const SUBMISSION = 'urn:ietf:params:jmap:submission'
export const VACATION = 'urn:ietf:params:jmap:vacationresponse'
export const QUOTA = 'urn:ietf:params:jmap:quota'
export const VAPID = 'urn:ietf:params:jmap:webpush-vapid'
export const OWN = 'urn:moxpy:mail'

/** RFC 8620 §2. Addresses may be relative to the page. */
export interface Session {
  capabilities: Record<string, unknown> & { [CORE]: CoreLimits, [VAPID]?: { applicationServerKey: string }, [OWN]?: OwnServer }
  accounts: Record<Id, { name: string, isPersonal: boolean, isReadOnly: boolean, accountCapabilities: Record<string, unknown> }>
  primaryAccounts: Record<string, Id>
  username: string
  apiUrl: string
  downloadUrl: string
  uploadUrl: string
  eventSourceUrl: string
  state: string
}

/** What our own capability says of the server. */
export interface OwnServer {
  /** Path or URL of the account pages; null where there are none. */
  accountPages?: string | null
}

export interface CoreLimits {
  maxSizeUpload: number
  maxConcurrentUpload: number
  maxSizeRequest: number
  maxConcurrentRequests: number
  maxCallsInRequest: number
  maxObjectsInGet: number
  maxObjectsInSet: number
}

// Mailboxes and threads.

export type Role = 'inbox' | 'drafts' | 'sent' | 'archive' | 'trash' | 'junk' | 'all' | 'flagged' | 'important'

/** RFC 8621 §2. */
export interface Mailbox {
  id: Id
  name: string
  parentId: Id | null
  role: Role | null
  sortOrder: number
  totalEmails: number
  unreadEmails: number
  totalThreads: number
  unreadThreads: number
  myRights: Rights
  isSubscribed: boolean
  /** Of our own capability: those that its messages have or had. */
  keywords?: string[]
}

export interface Rights {
  mayReadItems: boolean
  mayAddItems: boolean
  mayRemoveItems: boolean
  maySetSeen: boolean
  maySetKeywords: boolean
  mayCreateChild: boolean
  mayRename: boolean
  mayDelete: boolean
  maySubmit: boolean
}

/** RFC 8621 §3: the oldest message first. */
export interface Thread { id: Id, emailIds: Id[] }

// Messages.

/** RFC 8621 §4.1.2.3. */
export interface EmailAddress { name: string | null, email: string }
export interface EmailAddressGroup { name: string | null, addresses: EmailAddress[] }
export interface EmailHeader { name: string, value: string }

/** RFC 8621 §4.1.4. */
export interface EmailBodyPart {
  partId: string | null
  blobId: Id | null
  size: number
  name: string | null
  type: string
  charset: string | null
  disposition: string | null
  cid: string | null
  language: string[] | null
  location: string | null
  subParts?: EmailBodyPart[] | null
  headers?: EmailHeader[]
}

export interface EmailBodyValue { value: string, isEncodingProblem: boolean, isTruncated: boolean }

/** How a message came: of our own capability. */
export interface Origin {
  remoteIP: string
  mailFrom: string
  rcptTo: string
  fromValidated: boolean
  fromDomain: string
  /** '' when it did not come by SMTP; "plain", "TLS 1.3". */
  tls: string
  tlsCipher: string
  requireTLS: boolean
  isMailingList: boolean
  isForward: boolean
  isReject: boolean
  reason: string
}

/** RFC 8621 §4. Which properties are there depends on what was asked for: see the lists below. */
export interface Email {
  id: Id
  blobId: Id
  threadId: Id
  mailboxIds: Record<Id, true>
  keywords: Record<string, true>
  size: number
  receivedAt: UTCDate
  messageId: string[] | null
  inReplyTo: string[] | null
  references: string[] | null
  sender: EmailAddress[] | null
  from: EmailAddress[] | null
  to: EmailAddress[] | null
  cc: EmailAddress[] | null
  bcc: EmailAddress[] | null
  replyTo: EmailAddress[] | null
  subject: string | null
  sentAt: string | null
  bodyStructure: EmailBodyPart
  bodyValues: Record<string, EmailBodyValue>
  textBody: EmailBodyPart[]
  htmlBody: EmailBodyPart[]
  attachments: EmailBodyPart[]
  hasAttachment: boolean
  preview: string
  headers: EmailHeader[]
  // Of our own capability.
  muted: boolean
  collapsed: boolean
  threadParentIds: Id[]
  threadMissingLink: boolean
  origin: Origin | null
  isSigned: boolean
  isEncrypted: boolean
}

/** What a list shows of a message. */
export const HEAD = [
  'id', 'threadId', 'mailboxIds', 'keywords', 'size', 'receivedAt', 'from', 'to', 'subject', 'preview', 'hasAttachment',
  'muted', 'collapsed', 'threadParentIds', 'threadMissingLink',
] as const satisfies readonly (keyof Email)[]
export type EmailHead = Pick<Email, (typeof HEAD)[number]>

/** What may change in a message that is known. */
export const MUTABLE = ['id', 'mailboxIds', 'keywords', 'muted', 'collapsed'] as const satisfies readonly (keyof Email)[]

/** What the view of a message shows beside that; headers asked for by form are in `extra`. */
export const FULL = [
  ...HEAD, 'blobId', 'messageId', 'inReplyTo', 'references', 'sender', 'cc', 'bcc', 'replyTo', 'sentAt', 'bodyValues', 'textBody', 'htmlBody',
  'attachments', 'headers', 'origin', 'isSigned', 'isEncrypted',
  'header:List-Post:asURLs', 'header:List-Id:asText', 'header:List-Unsubscribe:asURLs', 'header:List-Unsubscribe-Post:asText',
] as const
export type EmailFull = EmailHead & Pick<Email,
  'blobId' | 'messageId' | 'inReplyTo' | 'references' | 'sender' | 'cc' | 'bcc' | 'replyTo' | 'sentAt' | 'bodyValues' | 'textBody' | 'htmlBody' |
  'attachments' | 'headers' | 'origin' | 'isSigned' | 'isEncrypted'> & {
  'header:List-Post:asURLs': string[] | null
  'header:List-Id:asText': string | null
  'header:List-Unsubscribe:asURLs': string[] | null
  'header:List-Unsubscribe-Post:asText': string | null
}

// Looking for messages.

export type AttachmentType = 'none' | 'any' | 'image' | 'pdf' | 'archive' | 'spreadsheet' | 'document' | 'presentation'

/** RFC 8621 §4.4.1. */
export interface FilterCondition {
  inMailbox?: Id
  inMailboxOtherThan?: Id[]
  before?: UTCDate
  after?: UTCDate
  minSize?: number
  maxSize?: number
  allInThreadHaveKeyword?: string
  someInThreadHaveKeyword?: string
  noneInThreadHaveKeyword?: string
  hasKeyword?: string
  notKeyword?: string
  hasAttachment?: boolean
  text?: string
  from?: string
  to?: string
  cc?: string
  bcc?: string
  subject?: string
  body?: string
  header?: [string] | [string, string]
  attachmentType?: AttachmentType
  inThread?: Id
}
export type Filter = FilterCondition | { operator: 'AND' | 'OR' | 'NOT', conditions: Filter[] }
export interface Comparator { property: string, isAscending?: boolean, keyword?: string }

/** What of a query says which list it is. */
export interface ListQuery {
  filter: Filter | null
  sort: Comparator[]
  collapseThreads: boolean
}

export interface QueryArguments extends Partial<ListQuery> {
  position?: number
  anchor?: Id
  anchorOffset?: number
  limit?: number
  calculateTotal?: boolean
}
export interface QueryResponse { queryState: string, canCalculateChanges: boolean, position: number, ids: Id[], total?: number, limit?: number }
export interface QueryChangesArguments extends Partial<ListQuery> { sinceQueryState: string, maxChanges?: number, upToId?: Id, calculateTotal?: boolean }
export interface QueryChangesResponse { oldQueryState: string, newQueryState: string, total?: number, removed: Id[], added: { id: Id, index: number }[] }

/** RFC 8621 §5. Highlights are `<mark>` in HTML. */
export interface SearchSnippet { emailId: Id, subject: string | null, preview: string | null }

// The standard methods (RFC 8620 §5).

export interface GetArguments<P extends string = string> { ids?: readonly Id[] | null, properties?: readonly P[] | null }
export interface GetResponse<T> { state: string, list: T[], notFound: Id[] }
export interface ChangesArguments { sinceState: string, maxChanges?: number }
export interface ChangesResponse { oldState: string, newState: string, hasMoreChanges: boolean, created: Id[], updated: Id[], destroyed: Id[] }
export interface SetError { type: string, description?: string, properties?: string[], existingId?: Id }
/** Names of properties, or paths below them as `keywords/$seen`; null takes away (RFC 8620 §5.3). */
export type Patch = Record<string, unknown>
export interface SetArguments<T> {
  ifInState?: string
  create?: Record<Id, Partial<T>>
  update?: Record<Id, Patch>
  destroy?: readonly Id[]
}
export interface SetResponse<T> {
  oldState: string | null
  newState: string
  created: Record<Id, Partial<T> & { id: Id }> | null
  updated: Record<Id, Partial<T> | null> | null
  destroyed: Id[] | null
  notCreated: Record<Id, SetError> | null
  notUpdated: Record<Id, SetError> | null
  notDestroyed: Record<Id, SetError> | null
}

// Sending.

/** RFC 8621 §6. */
export interface Identity {
  id: Id
  name: string
  email: string
  replyTo: EmailAddress[] | null
  bcc: EmailAddress[] | null
  textSignature: string
  htmlSignature: string
  mayDelete: boolean
}

export interface Envelope {
  mailFrom: { email: string, parameters: Record<string, string | null> | null }
  rcptTo: { email: string, parameters: Record<string, string | null> | null }[]
}

/** RFC 8621 §7. */
export interface EmailSubmission {
  id: Id
  identityId: Id
  emailId: Id
  threadId: Id
  envelope: Envelope | null
  sendAt: UTCDate
  undoStatus: 'pending' | 'final' | 'canceled'
  deliveryStatus: Record<string, { smtpReply: string, delivered: 'queued' | 'yes' | 'no' | 'unknown', displayed: 'unknown' | 'yes' }> | null
}

/** RFC 8621 §8. */
export interface VacationResponse {
  id: 'singleton'
  isEnabled: boolean
  fromDate: UTCDate | null
  toDate: UTCDate | null
  subject: string | null
  textBody: string | null
  htmlBody: string | null
}

/** RFC 9425 §4. */
export interface Quota { id: Id, resourceType: 'count' | 'octets', used: number, hardLimit: number, scope: string, name: string, types: string[] }

// Our own capability.

export type Quoting = 'auto' | 'bottom' | 'top'

export interface Preferences {
  signature: string
  quoting: Quoting
  showAddressSecurity: boolean
  showHTML: boolean
  noShowShortcuts: boolean
  showHeaders: string[]
  /** How long a message waits to be taken back, 0 to 60. */
  undoSeconds: number
  composeHTML: boolean
  introbox: Id | null
  rejects: Id | null
}

export interface Recipient { name: string, email: string, lastSent: UTCDate }
export type SecurityAnswer = 'yes' | 'no' | 'unknown' | 'error'
export interface RecipientSecurity {
  email: string
  starttls: SecurityAnswer
  mtasts: SecurityAnswer
  dnssec: SecurityAnswer
  dane: SecurityAnswer
  requireTLS: SecurityAnswer
}

/** How bodies of a sender's messages are shown. */
export type ViewMode = 'text' | 'html' | 'external'

export interface JunkExplanation {
  isJunk?: boolean
  probability: number | null
  threshold: number
  words: { word: string, spam: number }[]
  reason: string
  texts: string[]
  hams: number
  spams: number
}

export interface Ruleset { [name: string]: unknown }
export interface RulesetSuggestion { listId: string, from: string, isRemove: boolean, recipient: string, ruleset: Ruleset }

/** RFC 8620 §7.2; what a browser is told by. URL and keys are not given back. */
export interface PushSubscription {
  id: Id
  deviceClientId: string
  url: string
  keys: { p256dh: string, auth: string } | null
  verificationCode: string | null
  expires: UTCDate | null
  types: PushType[] | null
}

/** Arguments of a method, each or some given as result of an earlier call: `'#ids': reference(call, '/ids')`. */
export type Referring<A> = A | (Partial<A> & { [name: `#${string}`]: Reference })
/** RFC 8620 §3.7. */
export interface Reference { resultOf: string, name: string, path: string }

type Standard<T> = { get: [GetArguments, GetResponse<T>], changes: [ChangesArguments, ChangesResponse], set: [SetArguments<T>, SetResponse<T>] }

export interface Methods {
  'PushSubscription/get': Standard<PushSubscription>['get']
  'PushSubscription/set': Standard<PushSubscription>['set']
  'Mailbox/get': Standard<Mailbox>['get']
  'Mailbox/changes': [ChangesArguments, ChangesResponse & { updatedProperties: (keyof Mailbox)[] | null }]
  'Mailbox/set': [SetArguments<Mailbox> & { onDestroyRemoveEmails?: boolean }, SetResponse<Mailbox>]
  'Mailbox/empty': [{ id: Id }, { count: number }]
  'Mailbox/markRead': [{ ids: readonly Id[], recursive: boolean }, { count: number }]
  'Thread/get': Standard<Thread>['get']
  'Thread/changes': Standard<Thread>['changes']
  'Email/get': [GetArguments & {
    bodyProperties?: readonly (keyof EmailBodyPart)[], fetchTextBodyValues?: boolean, fetchHTMLBodyValues?: boolean, fetchAllBodyValues?: boolean
    maxBodyValueBytes?: number
  }, GetResponse<Partial<Email> & { id: Id } & { [header: `header:${string}`]: unknown }>]
  'Email/changes': Standard<Email>['changes']
  'Email/query': [QueryArguments, QueryResponse]
  'Email/queryChanges': [QueryChangesArguments, QueryChangesResponse]
  'Email/set': Standard<Email>['set']
  'Email/import': [
    { ifInState?: string, emails: Record<Id, { blobId: Id, mailboxIds: Record<Id, true>, keywords?: Record<string, true>, receivedAt?: UTCDate }> },
    { oldState: string | null, newState: string, created: Record<Id, Pick<Email, 'id' | 'blobId' | 'threadId' | 'size'>> | null, notCreated: Record<Id, SetError> | null },
  ]
  'Email/parse': [
    { blobIds: readonly Id[], properties?: readonly string[], bodyProperties?: readonly string[], fetchTextBodyValues?: boolean, fetchHTMLBodyValues?: boolean, fetchAllBodyValues?: boolean, maxBodyValueBytes?: number },
    { parsed: Record<Id, Partial<Email>> | null, notParsable: Id[] | null, notFound: Id[] | null },
  ]
  'SearchSnippet/get': [{ filter: Filter | null, emailIds: readonly Id[] }, { list: SearchSnippet[], notFound: Id[] | null }]
  'Identity/get': Standard<Identity>['get']
  'Identity/changes': Standard<Identity>['changes']
  'Identity/set': Standard<Identity>['set']
  'EmailSubmission/get': Standard<EmailSubmission>['get']
  'EmailSubmission/changes': Standard<EmailSubmission>['changes']
  'EmailSubmission/query': [{ filter?: Record<string, unknown> | null, sort?: Comparator[], position?: number, limit?: number, calculateTotal?: boolean }, QueryResponse]
  'EmailSubmission/set': [
    SetArguments<EmailSubmission> & { onSuccessUpdateEmail?: Record<Id, Patch>, onSuccessDestroyEmail?: readonly Id[] }, SetResponse<EmailSubmission>,
  ]
  'VacationResponse/get': Standard<VacationResponse>['get']
  'VacationResponse/set': Standard<VacationResponse>['set']
  'Quota/get': Standard<Quota>['get']
  'Recipient/query': [{ text: string, limit?: number }, { list: Recipient[], isComplete: boolean }]
  'RecipientSecurity/get': [{ addresses: readonly string[] }, { list: RecipientSecurity[] }]
  'Junk/explain': [{ emailId: Id }, JunkExplanation]
  'Ruleset/suggest': [{ emailId: Id, fromMailboxId: Id, toMailboxId: Id }, { suggestion: RulesetSuggestion | null }]
  'Ruleset/add': [{ recipient: string, ruleset: Ruleset }, Record<string, unknown>]
  'Ruleset/remove': [{ recipient: string, ruleset: Ruleset }, Record<string, unknown>]
  'Ruleset/never': [{ recipient: string, listId?: string, from?: string, toInbox: boolean }, Record<string, unknown>]
  'Ruleset/neverMailbox': [{ mailboxId: Id, toMailbox: boolean }, Record<string, unknown>]
  'Preferences/get': [Record<string, never>, { state: string, preferences: Preferences }]
  'Preferences/set': [{ ifInState?: string, update: Patch }, { oldState?: string, newState: string } & Record<string, unknown>]
  'SenderView/get': [{ addresses: readonly string[] }, { list: { address: string, mode: ViewMode }[] }]
  'SenderView/set': [{ address: string, mode: ViewMode }, Record<string, unknown>]
  'Unsubscribe/post': [{ emailId: Id }, { status: number, error: string | null }]
}
export type MethodName = keyof Methods

/** What push tells changes of (RFC 8620 §7.1). */
export type PushType = 'Email' | 'EmailDelivery' | 'EmailSubmission' | 'Identity' | 'Mailbox' | 'Preferences' | 'Quota' | 'Thread' | 'VacationResponse'
export type TypeStates = Partial<Record<PushType, string>>
