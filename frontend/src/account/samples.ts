// Payloads to try webhooks with, as the server would post them.

import type * as api from '../api/account'

export function outgoingSample(event: api.Outgoing['Event'], now: Date = new Date()): api.Outgoing {
  const failed = event === 'failed' || event === 'delayed'
  return {
    Version: 0, Event: event, DSN: false, Suppressing: event === 'failed', QueueMsgID: 101, FromID: 'k3x9f2', MessageID: '<QnxzgulZK51utga6agH_rg@example.org>', Subject: 'Your order',
    WebhookQueued: now.toISOString(), SMTPCode: event === 'delivered' ? 250 : event === 'failed' ? 550 : event === 'delayed' ? 451 : 0,
    SMTPEnhancedCode: event === 'delivered' ? '2.0.0' : event === 'failed' ? '5.1.1' : event === 'delayed' ? '4.7.1' : '', Error: failed ? 'no such user' : '', Extra: { order: '2026-117' },
  }
}

export function incomingSample(address: string, now: Date = new Date()): api.Incoming {
  return {
    Version: 0, From: [{ Name: 'Remote', Address: 'remote@remote.example' }], To: [{ Name: '', Address: address }], CC: [], BCC: [], ReplyTo: [], Subject: 'Test of a webhook',
    MessageID: '<QnxzgulZK51utga6agH_rg@remote.example>', InReplyTo: '', References: [], Date: now.toISOString(), Text: 'Hello\n', HTML: '',
    Structure: { ContentType: 'text/plain', ContentTypeParams: { charset: 'utf-8' }, ContentID: '', ContentDisposition: '', Filename: '', DecodedSize: 7, Parts: [] },
    Meta: {
      MsgID: 201, MailFrom: 'remote@remote.example', MailFromValidated: true, MsgFromValidated: true, RcptTo: address, DKIMVerifiedDomains: ['remote.example'], RemoteIP: '192.0.2.10',
      Received: now.toISOString(), MailboxName: 'Inbox', Automated: false,
    },
  }
}

/** A word as a shell reads it. */
export function quoted(text: string): string {
  return `'${text.replaceAll('\'', '\'\\\'\'')}'`
}

/** The same POST from a shell. */
export function curl(url: string, authorization: string, payload: string): string {
  const fields = ['Content-Type: application/json; charset=utf-8', 'X-Mox-Webhook-ID: 0', 'X-Mox-Webhook-Attempt: 1', ...(authorization ? [`Authorization: ${authorization}`] : [])]
  return ['curl -i', ...fields.map(one => `-H ${quoted(one)}`), `--data-binary ${quoted(payload)}`, quoted(url)].join(' \\\n  ')
}

/** Whether a text is JSON: what is wrong, or nothing. */
export function jsonFault(text: string): string {
  try {
    JSON.parse(text)
    return ''
  } catch (error) {
    return error instanceof Error ? error.message : 'That is no JSON'
  }
}

/** A key to sign with, as Standard Webhooks writes it: 32 random octets. */
export function newSecret(): string {
  return `whsec_${btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(32))))}`
}
