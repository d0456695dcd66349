// What people are told when something fails.

/** An error that the server answered with, or that kept its answer away. */
export class ApiError extends Error {
  /** `user:error`, `server:error`, `user:noAuth` ...; `network` when there was no answer. */
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.name = 'ApiError'
    this.code = code
  }
}

/** What the server found wrong with fields of a form, by their names. */
export class FieldErrors extends Error {
  readonly fields: Readonly<Record<string, string>>

  constructor(fields: Readonly<Record<string, string>>) {
    super(Object.values(fields).join('\n'))
    this.name = 'FieldErrors'
    this.fields = fields
  }
}

/**
 * An error of the server about a place in the configuration, as `web_handlers[1].redirect.base_url: must ...`, by the
 * fields of a form that have these names, however spelled; the error itself where it is about anything else.
 */
export function byField(error: unknown, place: RegExp, fields: readonly string[]): unknown {
  if (!(error instanceof ApiError)) return error
  const plain = (text: string) => text.replaceAll('_', '').toLowerCase()
  const found: Record<string, string> = {}
  for (const line of error.message.replace(/^nothing was changed:\n/, '').split('\n')) {
    const [, names, text] = /^(?:params of \w+: )?(\S*?): (.*)$/s.exec(line) ?? []
    const parts = names !== undefined && place.test(names) ? names.replace(place, '').split(/[.[\]]+/).map(plain) : []
    const field = fields.filter(one => parts.includes(plain(one))).at(-1)
    if (field === undefined || text === undefined) return error
    found[field] ??= text.charAt(0).toUpperCase() + text.slice(1)
  }
  return new FieldErrors(found)
}

/** Where in a call a value is wrong; people know it by its last name. */
const PLACE = /^params of \w+: (?:\w+(?:\[\S*?\])*\.)*(\w+)(?:\[\S*?\])*(?=: )/

/** The sentence to show: ours for known causes, the server's own for what it found wrong. */
export function explain(error: unknown): string {
  if (error instanceof ApiError) {
    const message = error.message.replace(PLACE, '$1')
    // An address or a name at the beginning stays as it is written.
    const text = /^[^\s]*[@.:/][^\s]/.test(message) ? message : message.charAt(0).toUpperCase() + message.slice(1)
    switch (error.code) {
      case 'network': return 'The server cannot be reached. Check the connection and try again.'
      case 'limited': return 'Too many attempts. Wait a while and try again.'
      case 'server:error': return `The server failed: ${error.message || 'no details'}. Its log says more.`
      case 'sherpa:badFunction': return 'This server does not offer this yet.'
      default: return text || 'That did not work.'
    }
  }
  if (error instanceof Error) return `The page failed: ${error.message}`
  return 'That did not work.'
}

/** Whether the server has no such function: an older server, or one of another build. */
export function isUnknownFunction(error: unknown): boolean {
  return error instanceof ApiError && error.code === 'sherpa:badFunction'
}
