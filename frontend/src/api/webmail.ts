// The functions of moxpy webmail, made by build/typescript_api.py of the server's tables: do not edit.

import type {
  PasskeyAnswer, VersionInfo,
} from './shared'
import { call } from './wire'

export type {
  PasskeyAnswer, VersionInfo,
} from './shared'

/** Who is at home on a server for tests. */
export interface GuestInfo {
  /** To log in with. */
  Address: string
  Password: string
}

/** The same for a login, with a token as from LoginPrep. */
export interface PasskeyLogin {
  Challenge: string
  RelyingParty: string
  /** How long an answer may take. */
  Seconds: number
  LoginToken: string
}

/** What the stream of events tells, by kind. */
export interface Events {
}

export const EVENT_KINDS: readonly (keyof Events)[] = []

/**
 * Who the page logs in as without being asked: where a server for tests has the whole port for it, at `/`.
 *
 * Elsewhere, and on all other servers, null.
 */
export function Guest(): Promise<GuestInfo | null> {
  return call<GuestInfo | null>('Guest', [])
}

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

/** End the session of this browser. */
export function Logout(): Promise<void> {
  return call<void>('Logout', [])
}
