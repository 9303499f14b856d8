import { send } from './http.ts'
import type { Address } from './http.ts'
import type { StartOptions } from './process.ts'

const SIGNATURE = new URL('../../dist/http/signature.js', import.meta.url).href

/**
 * Faults on demand. The signature checker is the operator's code in the server. This one fails in all the ways in which
 * code of the server may fail.
 */
const CHECKER = `
import { createSigner } from '${SIGNATURE}'
const faults = {
  'long line': () => { throw new Error('x'.repeat(50_000)) },
  rejection: () => void Promise.reject(new Error('rejected on demand')),
  'odd rejection': () => void Promise.reject({ no: 'error' }),
  exception: () => void setImmediate(() => { throw new Error('thrown on demand') }),
  warning: () => process.emitWarning('warned on demand'),
}
export const createSignatureChecker = ({ secret, maxAgeSeconds }) => {
  const signer = createSigner(secret, { maxAgeSeconds })
  return {
    verify(signed, now) {
      if (!Object.hasOwn(faults, signed)) return signer.verify(signed, now)
      faults[signed]()
      return undefined
    }
  }
}
`
export type FaultName = 'long line' | 'rejection' | 'odd rejection' | 'exception' | 'warning'

/** Options of a server with faults. */
export const FAULTY = {
  files: { 'faulty.mjs': CHECKER },
  mayFault: true,
  env: { CHANNELSTREAM_SIGNATURE_CHECKER: './faulty.mjs' },
} as const satisfies StartOptions

/** Causes a fault. Resolves once it has happened. A `long line` writes more than 50 KB to the log. */
export async function provoke(server: Address, fault: FaultName): Promise<void> {
  await send(server, 'POST /info', { headers: { 'x-channelstream-secret': fault } })
}
