// Time: a moment as people say it ("5 min. ago"), the whole of it as title; `full` shows date and time. It moves on by
// itself. Nothing, or the reference's year 1, is shown as a dash.

import { signal } from '@preact/signals'
import { fullTime, minute, parseTime, relative } from '../lib/format'

const now = signal(new Date())
setInterval(() => { now.value = new Date() }, 20_000)

export function Time({ at, full = false, none = '–' }: { at: string | null | undefined, full?: boolean, none?: string }) {
  const time = parseTime(at)
  if (!time) return <span class="muted">{none}</span>
  const moment = now.value < time && time.getTime() - now.value.getTime() < 20_000 ? new Date() : now.value
  return <time dateTime={time.toISOString()} title={fullTime(time)} class="nowrap">
    {full ? minute(time) : relative(time, moment)}
  </time>
}
