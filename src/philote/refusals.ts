/** Refusals of handshakes. Statuses and first lines are recorded; the texts are those of the original's libraries. */

export interface Refusal {
  readonly status: number
  readonly text: string
  /** Whether the answer names the supported WebSocket version. */
  readonly namesVersion?: boolean
}

const upgrade = (status: number, name: string, problem: string): Refusal => ({
  status,
  text: `${name}\nwebsocket: ${problem}`,
  namesVersion: true,
})

/** A refused token is answered with 200. */
const token = (text: string): Refusal => ({ status: 200, text })

export const JWT_REFUSALS = {
  segments: token('token contains an invalid number of segments'),
  lowerCaseBearer: token("tokenstring should not contain 'bearer '"),
  notJson: token('token is not JSON'),
  claims: token('claims are of a wrong type'),
  noneAlgorithm: token("'none' signature type is not allowed"),
  unknownAlgorithm: token('signing method (alg) is unavailable.'),
  noAlgorithm: token('signing method (alg) is unspecified.'),
  keyType: token('key is of invalid type'),
  critical: token('token has critical headers'),
  signature: token('signature is invalid'),
  notYet: token('token is not valid yet'),
  issuedLater: token('Token used before issued'),
  encoding: (at: number) => token(`illegal base64 data at input byte ${at}`),
  expired: (seconds: number) => token(`token is expired by ${durationText(seconds)}`),

  method: upgrade(405, 'Method Not Allowed', 'method not GET'),
  version: upgrade(400, 'Bad Request', 'version != 13'),
  connection: upgrade(400, 'Bad Request', "could not find connection header with token 'upgrade'"),
  upgrade: upgrade(400, 'Bad Request', "could not find upgrade header with token 'websocket'"),
  origin: upgrade(403, 'Forbidden', 'origin not allowed'),
  key: upgrade(400, 'Bad Request', 'key missing or blank'),
  /** For unknown requests to the API. */
  api: { status: 420, text: '' },
} as const

export const REDIS_REFUSALS = {
  method: { status: 405, text: 'bad method' },
  notWebSocket: { status: 400, text: 'not websocket protocol' },
  key: { status: 400, text: 'mismatch challenge/response' },
  version: { status: 400, text: 'missing or bad WebSocket Version', namesVersion: true },
  origin: { status: 403, text: '' },
  protocol: { status: 400, text: '' },
  /** It cannot be percent-decoded. */
  path: { status: 400, text: '' },
} as const satisfies Record<string, Refusal>

/** Texts that a client of the Redis generation gets in a separate frame before its socket is closed. */
export const KEY_REFUSALS = {
  unknown: 'redigo: nil returned',
  empty: 'unknown token',
  invalid: 'invalid token data: not an access key',
  depleted: 'ERR DepletedAccessKey: all uses of the access key are used up',
  contested: 'ERR the access key changes all the time',
  wrongType: 'WRONGTYPE Operation against a key holding the wrong kind of value',
  unavailable: 'ERR Redis cannot be reached',
  failed: 'ERR the access key cannot be read',
} as const

/** Formats whole seconds like Go: `1h2m3s`. */
function durationText(seconds: number): string {
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60)]
  const rest = `${seconds % 60}s`
  if (minutes === 0) return rest
  return hours === 0 ? `${minutes}m${rest}` : `${hours}h${minutes % 60}m${rest}`
}
