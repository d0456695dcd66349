// mailto: addresses (RFC 6068): what a link elsewhere wants to have written.

import { parseAddresses, type Address } from './addresses'

export interface Mailto {
  readonly to: readonly Address[]
  readonly cc: readonly Address[]
  readonly bcc: readonly Address[]
  readonly subject: string
  readonly body: string
  readonly inReplyTo: string | null
}

/** Only fields that harm nobody are taken (RFC 6068 §4, §7): never From, never attachments. */
export function parseMailto(link: string): Mailto {
  const [path = '', query = ''] = link.replace(/^mailto:/i, '').replace(/#.*$/s, '').split(/\?(.*)/s, 2)
  const to = path.split(',').map(decode), cc: string[] = [], bcc: string[] = []
  let subject = '', body = '', inReplyTo: string | null = null
  for (const field of query.split(/&(?:amp;)?/)) {
    const [name = '', value = ''] = field.split(/=(.*)/s, 2)
    const text = decode(value)
    switch (decode(name).toLowerCase()) {
      case 'to': to.push(...value.split(',').map(decode)); break
      case 'cc': cc.push(...value.split(',').map(decode)); break
      case 'bcc': bcc.push(...value.split(',').map(decode)); break
      case 'subject': subject = text.replace(/[\r\n]+/g, ' '); break
      case 'body': body = (body === '' ? '' : `${body}\n`) + text.replace(/\r\n?/g, '\n'); break
      case 'in-reply-to': inReplyTo = /<?([^<>\s]+@[^<>\s]+)>?/.exec(text)?.[1] ?? null; break
    }
  }
  const read = (list: readonly string[]) => list.flatMap(parseAddresses)
  return { to: read(to), cc: read(cc), bcc: read(bcc), subject, body, inReplyTo }
}

/** Plus is a plus here (RFC 6068 §5); broken escapes stay as they are, and so do octets that are no UTF-8. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text.replace(/(?:%[\da-f]{2})+/gi, run => {
      try {
        return decodeURIComponent(run)
      } catch {
        return run
      }
    })
  }
}
