/** What the description says about the API as a whole. */
import { SIGNATURE_HEADER } from '../../protocol/headers.ts'
import { ADMIN_COOKIE } from '../admin/session.ts'
import { SIGNATURE_PARAMETER } from '../auth.ts'
import { SIGNATURE_MAX_AGE_SECONDS } from '../signature.ts'

export const INFO = {
  title: 'Channelstream API',
  description:
    'A realtime server that other applications drive over REST. Backends sign their requests, and clients listen.\n\n' +
    'Paths and methods that are not listed are answered with 404. Booleans and integers may also be spelled as texts, ' +
    'and UUIDs in any form; the content type of a request does not matter. Answers may get more fields later.',
  license: { name: 'MIT', identifier: 'MIT' },
}

export const TAGS = [
  { name: 'API', description: 'For backends, with a signature.' },
  { name: 'Client API', description: 'For clients, which know the id of their connection.' },
  { name: 'Admin API', description: 'For backends and administrators.' },
  { name: 'Operations', description: 'For load balancers and monitoring.' },
  { name: 'Webhooks', description: 'What the server sends to backends.' },
]

export const SECURITY_SCHEMES = {
  signature: {
    type: 'apiKey',
    in: 'header',
    name: SIGNATURE_HEADER,
    description:
      'Any value, signed with the secret by itsdangerous’ TimestampSigner. ' +
      `Valid for ${SIGNATURE_MAX_AGE_SECONDS} seconds. ` +
      `Without the header, the server reads the query parameter ${SIGNATURE_PARAMETER}.`,
  },
  session: {
    type: 'apiKey',
    in: 'cookie',
    name: ADMIN_COOKIE,
    description:
      'The session of the admin pages. The name ends in _<port> if the address of the server has a port.',
  },
} as const
