// Sizes, numbers, times and durations as people read and type them.

const UNITS = ['bytes', 'kB', 'MB', 'GB', 'TB', 'PB']

/** Octets in powers of 1024, as quotas are written: `1.5 MB`. */
export function size(octets: number): string {
  let value = Math.abs(octets), unit = 0
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024
    unit += 1
  }
  const digits = unit === 0 || value >= 100 ? 0 : 1
  const text = value.toFixed(digits).replace(/\.0$/, '')
  return `${octets < 0 ? '−' : ''}${text} ${UNITS[unit] ?? ''}`
}

/** `10m`, `1.5g`, `500` (octets) as octets; null when it is none. 0 and -1 mean what the field says. */
export function parseSize(text: string): number | null {
  const match = /^\s*(-?\d+(?:\.\d+)?)\s*(k|m|g|t|)(?:i?b|ytes)?\s*$/i.exec(text)
  if (!match) return null
  const factor = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3, t: 1024 ** 4 }[match[2]?.toLowerCase() ?? ''] ?? 1
  const octets = Number(match[1]) * factor
  return Number.isSafeInteger(Math.round(octets)) ? Math.round(octets) : null
}

/** The shortest exact spelling that `parseSize` reads. */
export function writeSize(octets: number): string {
  for (const [unit, factor] of [['t', 1024 ** 4], ['g', 1024 ** 3], ['m', 1024 ** 2], ['k', 1024]] as const)
    if (octets !== 0 && octets % factor === 0) return `${octets / factor}${unit}`
  return String(octets)
}

const NUMBER = new Intl.NumberFormat('en')

export function count(value: number): string {
  return NUMBER.format(value)
}

/** `1 message`, `2 messages`. */
export function plural(value: number, one: string, many: string = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`
}

export const SECOND = 1_000_000_000
const STEPS = [['w', 7 * 86400], ['d', 86400], ['h', 3600], ['m', 60], ['s', 1]] as const

/** A duration in nanoseconds with its two largest units: `1h 30m`, `250 ms`. */
export function duration(nanoseconds: number): string {
  if (nanoseconds < 0) return `−${duration(-nanoseconds)}`
  if (nanoseconds < SECOND) return `${Math.round(nanoseconds / 1e6)} ms`
  if (nanoseconds < 10 * SECOND) return `${(nanoseconds / SECOND).toFixed(1).replace(/\.0$/, '')}s`
  return writeDuration(nanoseconds, 2, ' ')
}

/** A duration as it is typed: `3d`, `1h30m`; empty for none. `parseDuration` reads it. */
export function writeDuration(nanoseconds: number, most: number = STEPS.length, between: string = ''): string {
  let left = Math.round(nanoseconds / SECOND)
  const parts: string[] = []
  for (const [unit, seconds] of STEPS) {
    const whole = Math.floor(left / seconds)
    if (whole > 0 && parts.length < most) parts.push(`${whole}${unit}`)
    if (parts.length >= most) break
    left -= whole * seconds
  }
  return parts.join(between)
}

/** `3d`, `2w`, `1h30m`, `90 s` as nanoseconds; null when it is none. Empty is 0. */
export function parseDuration(text: string): number | null {
  const plain = text.replace(/\s/g, '').toLowerCase()
  if (!/^(\d+(\.\d+)?[wdhms])*$/.test(plain)) return plain === '0' ? 0 : null
  let seconds = 0
  for (const [, value, unit] of plain.matchAll(/(\d+(?:\.\d+)?)([wdhms])/g))
    seconds += Number(value) * (STEPS.find(([name]) => name === unit)?.[1] ?? 0)
  return seconds * SECOND
}

const RELATIVE = new Intl.RelativeTimeFormat('en', { numeric: 'auto', style: 'short' })
const SPANS = [['year', 365 * 86400], ['month', 30 * 86400], ['week', 7 * 86400], ['day', 86400], ['hour', 3600],
  ['minute', 60]] as const

/** How far a time is from `now`: `5 min. ago`, `in 2 hr.`, `now`. */
export function relative(time: Date, now: Date = new Date()): string {
  const seconds = (time.getTime() - now.getTime()) / 1000
  for (const [unit, length] of SPANS)
    if (Math.abs(seconds) >= length) return RELATIVE.format(Math.trunc(seconds / length), unit)
  return Math.abs(seconds) < 10 ? 'now' : RELATIVE.format(Math.trunc(seconds), 'second')
}

const FULL = new Intl.DateTimeFormat('en-GB', { dateStyle: 'full', timeStyle: 'long' })
const DAY = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium' })
const MINUTE = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'short' })

/** Everything, for a title. */
export function fullTime(time: Date): string {
  return FULL.format(time)
}

export function day(time: Date): string {
  return DAY.format(time)
}

export function minute(time: Date): string {
  return MINUTE.format(time)
}

/** A time as the API writes it; null for none, which the reference writes as the year 1. */
export function parseTime(text: string | null | undefined): Date | null {
  if (!text) return null
  const time = new Date(text)
  return Number.isNaN(time.getTime()) || time.getFullYear() <= 1 ? null : time
}

/** A share of a whole: `12%`, `<1%`, never 0% or 100% when it is not. */
export function percent(part: number, whole: number): string {
  if (whole === 0) return '–'
  const value = (100 * part) / whole
  if (part > 0 && value < 1) return '<1%'
  if (part < whole && value > 99) return '>99%'
  return `${Math.round(value)}%`
}
