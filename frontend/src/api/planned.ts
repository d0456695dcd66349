// Functions that the admin pages call and the server does not have yet, with types as the pages want them; in the style of
// the generated module, which takes their place one by one.

import { call } from './wire'

export * from './admin'

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

export function TLSCertificates(): Promise<CertificateInfo[]> {
  return call<CertificateInfo[]>('TLSCertificates', [])
}
