import { createHash, createHmac } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import { ChannelStreamSigner } from '../../../frontend/client/index.ts'
import { hmacSha1, sha1 } from '../../../frontend/client/sha1.ts'
import { createSigner } from '../../../src/http/signature.ts'
import { send } from '../../helpers/http.ts'
import { startServer } from '../../helpers/server.ts'

describe('the signer', () => {
  it('signs what the server lets in', async () => {
    const server = await startServer()
    onTestFinished(() => server.close())
    const status = async (secret: string): Promise<number> => {
      const headers = { 'x-channelstream-secret': new ChannelStreamSigner(secret).signRequest() }
      return (await send(server, 'POST /info', { headers })).status
    }
    expect([await status('secret'), await status('other')]).toEqual([200, 401])
  })

  it('makes the same signatures as the server, for any secret, value and time', () => {
    const secrets = fc.string({ minLength: 1, maxLength: 80, unit: 'binary' })
    const times = fc.oneof(fc.constantFrom(0, 0.5, 1, 255, 256, 2 ** 48 - 1), fc.nat(2 ** 31))
    fc.assert(
      fc.property(secrets, fc.string({ unit: 'binary' }), times, (secret, value, time) => {
        const signed = new ChannelStreamSigner(secret).sign(value, time)
        expect(signed).toBe(createSigner(secret).sign(value, time))
      }),
    )
  })

  it('signs the time of now', () => {
    const signed = new ChannelStreamSigner('s').signRequest()
    const verified = createSigner('s').verify(signed, Date.now() / 1000)
    expect(verified?.value).toBe('channelstream')
  })

  it('takes no empty secret and no time that is none', () => {
    expect(() => new ChannelStreamSigner('')).toThrow(RangeError)
    for (const time of [-1, NaN, Infinity, 2 ** 48])
      expect(() => new ChannelStreamSigner('s').sign('v', time)).toThrow(RangeError)
  })
})

describe('SHA-1', () => {
  it('is that of everybody else, at each length around a block', () => {
    for (let length = 0; length < 200; length++) {
      const message = Uint8Array.from({ length }, (_, index) => index * 7 + length)
      const key = message.subarray(0, 64)
      const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
      expect(hex(sha1(message))).toBe(createHash('sha1').update(message).digest('hex'))
      expect(hex(hmacSha1(key, message))).toBe(
        createHmac('sha1', key).update(message).digest('hex'),
      )
    }
  })
})
