// When a message came, as short as it can be said.

const CLOCK = new Intl.DateTimeFormat('en-GB', { timeStyle: 'short' })
const DAY = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' })
const WEEKDAY = new Intl.DateTimeFormat('en-GB', { weekday: 'short' })
const YEAR = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric' })
const THIS_YEAR = new Intl.DateTimeFormat('en-GB', { weekday: 'short', day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' })
const LONG = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit' })

/** `14:05` today, `Tue` within six days, `3 Nov` this year, else `3 Nov 2024`. */
export function shortTime(time: Date, now: Date = new Date()): string {
  if (Number.isNaN(time.getTime())) return ''
  const midnight = new Date(now.getFullYear(), now.getMonth(), now.getDate()), days = (midnight.getTime() - time.getTime()) / 86_400_000
  if (days <= 0 && time.getTime() < midnight.getTime() + 86_400_000) return CLOCK.format(time)
  if (days > 0 && days <= 6) return WEEKDAY.format(time)
  return time.getFullYear() === now.getFullYear() ? DAY.format(time) : YEAR.format(time)
}

/** With the clock: `Today, 14:05`, `Tue 3 Nov, 14:05` this year, else `3 Nov 2024, 14:05`. */
export function longTime(time: Date, now: Date = new Date()): string {
  if (Number.isNaN(time.getTime())) return ''
  if (time.toDateString() === now.toDateString()) return `Today, ${CLOCK.format(time)}`
  return (time.getFullYear() === now.getFullYear() ? THIS_YEAR : LONG).format(time)
}

/** With the clock where there is little room: `14:05` today, `Tue 14:05` within six days, else the day. */
export function middleTime(time: Date, now: Date = new Date()): string {
  const short = shortTime(time, now)
  return short === WEEKDAY.format(time) ? `${short} ${CLOCK.format(time)}` : short
}
