import { createHash, createHmac } from 'node:crypto'

export interface SignedAs {
  readonly secret: string
  readonly atSeconds?: number
  /** The epoch of timestamps: 0, or 1293840000 as in itsdangerous 0.24. */
  readonly epochSeconds?: number
}

/**
 * Signs like the TimestampSigner of itsdangerous. Written independently of the server's code, so that it does not
 * repeat its mistakes.
 */
export function signText(value: string, { secret, atSeconds, epochSeconds = 0 }: SignedAs): string {
  const seconds = (atSeconds ?? Math.floor(Date.now() / 1000)) - epochSeconds
  const signed = `${value}.${bigEndian(seconds).toString('base64url')}`
  const key = createHash('sha1').update(`itsdangerous.Signersigner${secret}`, 'utf8').digest()
  return `${signed}.${createHmac('sha1', key).update(signed, 'utf8').digest('base64url')}`
}

/** Without leading zero bytes. Empty for 0 and below. */
function bigEndian(number: number): Buffer {
  const bytes: number[] = []
  for (let rest = number; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256)
  return Buffer.from(bytes)
}
