// Address: an e-mail address or a domain. The part behind the @ is set off, long ones break there first, and names that
// mix scripts are underlined, since letters of one may pass for those of another.

import { mixedScripts } from '../lib/scripts'
import './address.css'

export function Address({ value, none = '–' }: { value: string, none?: string }) {
  if (value === '') return <span class="muted">{none}</span>
  const at = value.lastIndexOf('@')
  if (at < 0) return <Part text={value} />
  return <span class="address"><Part text={value.slice(0, at)} /><wbr /><span class="muted">@</span><Part text={value.slice(at + 1)} /></span>
}

function Part({ text }: { text: string }) {
  return mixedScripts(text)
    ? <span class="address mixed" title="Mixes letters of several scripts: it may not be what it looks like">{text}</span>
    : <span class="address">{text}</span>
}
