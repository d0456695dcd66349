// The functions of moxpy admin, made by build/typescript_api.py of the server's tables: do not edit.

import { call } from './wire'

/** The configuration of the account, or for the administrator any of it, is not what it was. */
export interface ConfigChanged {
}

/** A domain in a list. */
export interface DomainListed {
  Domain: string
  Disabled: boolean
}

/** Something in the queue of webhooks is not as it was. */
export interface HookQueueChanged {
  /** Webhooks in it. */
  Size: number
}

/** Something in the queue of messages is not as it was. */
export interface QueueChanged {
  /** Messages in it. */
  Size: number
}

/** The server stops; it may be back soon. */
export interface ServerShutdown {
}

/** The stream begins: what was told by an earlier one may be old. */
export interface Started {
  /** Of the server; a page of another version should be loaded again. */
  Version: string
}

/** The program, and what it runs on. */
export interface VersionInfo {
  Version: string
  Os: string
  Arch: string
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
 * LoginToken is what LoginPrep returned. The error `user:codeWanted` asks to call again, with LoginPrep before,
 * and
 * with a code of the second factor.
 */
export function Login(loginToken: string, password: string, code?: string): Promise<string> {
  return call<string>('Login', { LoginToken: loginToken, Password: password, Code: code })
}

/** The version of the server, its operating system and architecture. */
export function Version(): Promise<VersionInfo> {
  return call<VersionInfo>('Version', [])
}

/** All domains, by name. */
export function Domains(): Promise<DomainListed[]> {
  return call<DomainListed[]>('Domains', [])
}

/** End the session of this browser. */
export function Logout(): Promise<void> {
  return call<void>('Logout', [])
}
