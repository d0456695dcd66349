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

/** Where in a call a value is wrong; people know it by its last name. */
const PLACE = /^params of \w+: (?:\w+(?:\[\S*?\])*\.)*(\w+)(?:\[\S*?\])*(?=: )/

/** The sentence to show: ours for known causes, the server's own for what it found wrong. */
export function explain(error: unknown): string {
  if (error instanceof ApiError) {
    const message = error.message.replace(PLACE, '$1')
    const text = message.charAt(0).toUpperCase() + message.slice(1)
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
