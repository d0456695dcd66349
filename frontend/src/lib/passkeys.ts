// Passkeys: the browser's side (Web Authentication). Octets travel as base64url.

import { ApiError } from './problem'

export interface Question { Challenge: string, RelyingParty: string, Seconds: number }
export interface Offer extends Question { UserHandle: string, UserName: string, Algorithms: readonly number[], Exclude: readonly string[] }
export interface Answer { CredentialID: string, ClientData: string, AuthenticatorData: string, Signature: string, UserHandle: string }
export interface Made { ClientData: string, AttestationObject: string }

/** Whether the browser has passkeys for this page: it needs TLS, or localhost, and a name in place of an address. */
export function hasPasskeys(): boolean {
  return typeof PublicKeyCredential === 'function' && isSecureContext && !/^[\d.]+$|^\[/.test(location.hostname)
}

export function octets(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), one => one.charCodeAt(0))
}

export function base64url(buffer: ArrayBuffer): string {
  let text = ''
  for (const octet of new Uint8Array(buffer)) text += String.fromCharCode(octet)
  return btoa(text).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '')
}

/** Has the browser make one. Throws ApiError. */
export async function makePasskey(offer: Offer): Promise<Made> {
  const { response } = await credential(() => navigator.credentials.create({ publicKey: {
    challenge: octets(offer.Challenge),
    rp: { id: offer.RelyingParty, name: offer.RelyingParty },
    user: { id: octets(offer.UserHandle), name: offer.UserName, displayName: offer.UserName },
    pubKeyCredParams: offer.Algorithms.map(alg => ({ type: 'public-key', alg })),
    excludeCredentials: offer.Exclude.map(id => ({ type: 'public-key', id: octets(id) })),
    authenticatorSelection: { residentKey: 'required', requireResidentKey: true, userVerification: 'preferred' },
    attestation: 'none',
    timeout: offer.Seconds * 1000,
  } }))
  const made = response as AuthenticatorAttestationResponse
  return { ClientData: base64url(made.clientDataJSON), AttestationObject: base64url(made.attestationObject) }
}

/** Has somebody show one. Throws ApiError. */
export async function showPasskey(question: Question): Promise<Answer> {
  const found = await credential(() => navigator.credentials.get({ publicKey: {
    challenge: octets(question.Challenge), rpId: question.RelyingParty, userVerification: 'preferred', timeout: question.Seconds * 1000,
  } }))
  const response = found.response as AuthenticatorAssertionResponse
  return {
    CredentialID: base64url(found.rawId),
    ClientData: base64url(response.clientDataJSON),
    AuthenticatorData: base64url(response.authenticatorData),
    Signature: base64url(response.signature),
    UserHandle: response.userHandle ? base64url(response.userHandle) : '',
  }
}

async function credential(ask: () => Promise<Credential | null>): Promise<PublicKeyCredential> {
  let found: Credential | null
  try {
    found = await ask()
  } catch (error) {
    const name = error instanceof Error ? error.name : ''
    // What browsers say themselves is for programmers; one name stands for giving up, for waiting too long and for none.
    throw new ApiError('passkey', name === 'NotAllowedError' ? 'no passkey was used'
      : name === 'InvalidStateError' ? 'this device or key has a passkey for this account already' : `the browser refuses: ${name}`)
  }
  if (!found) throw new ApiError('passkey', 'no passkey was used')
  return found as PublicKeyCredential
}
