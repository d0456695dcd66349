// The functions of moxpy admin, made by build/typescript_api.py of the server's tables: do not edit.

import { call } from './wire'

/** A domain in a list. */
export interface DomainListed {
  Domain: string
  Disabled: boolean
}

/** The program, and what it runs on. */
export interface VersionInfo {
  Version: string
  Os: string
  Arch: string
}

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
