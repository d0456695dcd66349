// Rules as the configuration has them: expressions that header fields and addresses match.

import type { Ruleset } from '../api/jmap/types'

export interface RuleChoice {
  kind: 'list' | 'sender' | 'domain'
  sender: string
  domain: string
  listId: string
  withSubject: boolean
  subject: string
}

/** What List-Id says within its brackets (RFC 2919 §3); '' for none. */
export function listIdOf(value: string | null | undefined): string {
  return /<\s*([^<>\s]+)\s*>\s*$/.exec(value ?? '')?.[1] ?? ''
}

export function escapeExpression(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}

/** Names and values of header fields are compared in lower case. */
export function rulesetOf(choice: RuleChoice, mailbox: string, now: Date): Ruleset {
  const headers: Record<string, string> = {}
  if (choice.kind === 'list') headers['^list-id$'] = `<${escapeExpression(choice.listId.toLowerCase())}>$`
  if (choice.withSubject) headers['^subject$'] = escapeExpression(choice.subject.trim().toLowerCase())
  return {
    ...(choice.kind === 'sender' ? { MsgFromRegexp: `^${escapeExpression(choice.sender.toLowerCase())}$` } : {}),
    ...(choice.kind === 'domain' ? { MsgFromRegexp: `@${escapeExpression(choice.domain.toLowerCase())}$` } : {}),
    ...(Object.keys(headers).length > 0 ? { HeadersRegexp: headers } : {}),
    Mailbox: mailbox, Comment: `by webmail on ${now.toISOString().slice(0, 10)}`,
  }
}
