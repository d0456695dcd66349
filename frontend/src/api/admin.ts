// The functions of moxpy admin, made by build/typescript_api.py of the server's tables: do not edit.

import { call } from './wire'

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

/** A token, the only time it is shown. */
export interface NewAPIToken {
  ID: string
  Token: string
}

/** Something in the queue of messages is not as it was. */
export interface QueueChanged {
  /** Messages in it. */
  Size: number
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

/** Which second factor there is. */
export function SecondFactor(): Promise<SecondFactorInfo> {
  return call<SecondFactorInfo>('SecondFactor', [])
}

/** End the session of this browser. */
export function Logout(): Promise<void> {
  return call<void>('Logout', [])
}

/** Offer a new secret, for TOTPConfirm. */
export function TOTPBegin(): Promise<TOTPOffer> {
  return call<TOTPOffer>('TOTPBegin', [])
}

/** Ask for codes at logins from now on; Code shows that the secret works. Returns recovery codes, shown once. */
export function TOTPConfirm(secret: string, code: string): Promise<string[]> {
  return call<string[]>('TOTPConfirm', [secret, code])
}

/** Ask for codes no more. It takes one, or a recovery code. */
export function TOTPRemove(code: string): Promise<void> {
  return call<void>('TOTPRemove', [code])
}

/** New recovery codes, shown once, in place of all others. It takes a code. */
export function RecoveryCodesRenew(code: string): Promise<string[]> {
  return call<string[]>('RecoveryCodesRenew', [code])
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
