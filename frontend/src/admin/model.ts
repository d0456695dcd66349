// What several pages show: fetched once, and again when one of them changed it.

import * as api from '../api/admin'
import { resource, type Resource } from '../lib/resource'

/** Days before its end that a certificate wants attention. */
export const CERTIFICATE_DAYS = 14

export const domains = resource(() => api.Domains())
export const accounts = resource(() => api.Accounts())
export const transports = resource(() => api.Transports())
export const queueSize = resource(() => api.QueueSize())
export const hookQueueSize = resource(() => api.HookQueueSize())

/** Fetches what nobody has fetched yet. */
export function need(...resources: readonly Resource<unknown>[]): void {
  for (const one of resources) if (one.data.peek() === undefined && !one.loading.peek()) void one.reload()
}

export function accountNames(): string[] {
  return (accounts.data.value ?? []).map(one => one.Name)
}

export function domainNames(): string[] {
  return (domains.data.value ?? []).map(one => one.Domain)
}

export function splitAddress(address: string): readonly [string, string] {
  const at = address.lastIndexOf('@')
  return [address.slice(0, at), address.slice(at + 1)]
}
