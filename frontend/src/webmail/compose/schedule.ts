// When a message is to leave: choices as people name them, in the time of this browser.

/** RFC 4865 has none; the server says its own, and never more than this. */
export const MOST_DAYS = 60

export interface Moment { readonly title: string, readonly time: Date }

function at(day: Date, days: number, hour: number): Date {
  return new Date(day.getFullYear(), day.getMonth(), day.getDate() + days, hour)
}

/** Later than now, soonest first. Days are those of the calendar, whatever summer time does to their length. */
export function moments(now: Date): Moment[] {
  const hour = new Date(now.getTime() + 3_600_000)
  const all: Moment[] = [
    { title: 'In an hour', time: hour },
    ...(now.getHours() < 12 ? [{ title: 'This afternoon', time: at(now, 0, 14) }] : []),
    ...(now.getHours() < 17 ? [{ title: 'This evening', time: at(now, 0, 18) }] : []),
    { title: 'Tomorrow morning', time: at(now, 1, 9) },
    { title: 'Tomorrow at this time', time: new Date(now.getFullYear(), now.getMonth(), now.getDate() + 1, now.getHours(), now.getMinutes()) },
    { title: 'Monday morning', time: at(now, (8 - now.getDay()) % 7 || 7, 9) },
  ]
  const seen = new Set<number>()
  return all.sort((one, other) => one.time.getTime() - other.time.getTime())
    .filter(one => one.time > now && !seen.has(one.time.getTime()) && seen.add(one.time.getTime()))
}

/** The value of a field of date and time: local, without seconds. */
export function writeLocal(time: Date): string {
  const two = (value: number) => String(value).padStart(2, '0')
  return `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}T${two(time.getHours())}:${two(time.getMinutes())}`
}

export function parseLocal(text: string): Date | null {
  const match = /^(\d{4,})-(\d\d)-(\d\d)T(\d\d):(\d\d)/.exec(text)
  if (!match) return null
  const [year, month, day, hour, minute] = match.slice(1).map(Number) as [number, number, number, number, number]
  const time = new Date(year, month - 1, day, hour, minute)
  return Number.isNaN(time.getTime()) || time.getMonth() !== month - 1 || time.getDate() !== day ? null : time
}

/** What is wrong with a time to send; null when nothing is. */
export function flawOfTime(time: Date | null, now: Date, mostSeconds: number = MOST_DAYS * 86400): string | null {
  if (!time) return 'A date and a time, please'
  const seconds = (time.getTime() - now.getTime()) / 1000
  if (seconds < 60) return 'That time is over'
  if (seconds > mostSeconds) return `At most ${Math.floor(mostSeconds / 86400)} days ahead`
  return null
}

/** Whole seconds until then, at least one: the parameter HOLDFOR (RFC 4865 §4). */
export function holdFor(time: Date, now: Date): number {
  return Math.max(1, Math.round((time.getTime() - now.getTime()) / 1000))
}

const TIME = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' })
const DAY = new Intl.DateTimeFormat('en-GB', { weekday: 'long' })
const DATE = new Intl.DateTimeFormat('en-GB', { weekday: 'short', day: 'numeric', month: 'short' })
const YEAR = new Intl.DateTimeFormat('en-GB', { weekday: 'short', day: 'numeric', month: 'short', year: 'numeric' })

/** `today 14:00`, `tomorrow 09:00`, `Monday 09:00`, `Fri, 4 Dec 09:00`. */
export function spoken(time: Date, now: Date): string {
  const days = Math.round((at(time, 0, 12).getTime() - at(now, 0, 12).getTime()) / 86_400_000)
  const day = days === 0 ? 'today' : days === 1 ? 'tomorrow' : days > 1 && days < 7 ? DAY.format(time)
    : (time.getFullYear() === now.getFullYear() ? DATE : YEAR).format(time)
  return `${day} ${TIME.format(time)}`
}
