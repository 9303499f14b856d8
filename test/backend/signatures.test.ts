import { describe, expect, it } from 'vitest'
import { Signatures } from '../../src/backend/signatures.ts'
import { createSigner } from '../../src/http/signature.ts'

const NOW = 2_000_000_000

describe('signatures', () => {
  it('are made once and used again for a third of their life', async () => {
    const signatures = new Signatures('secret')
    const first = await signatures.of('/message', NOW)
    expect(await signatures.of('/message', NOW + 19.9)).toBe(first)
    expect(await signatures.of('/message', NOW + 20)).not.toBe(first)
  })

  it('are good whenever they are handed out, also half a minute later and by a clock that is ahead', async () => {
    const signatures = new Signatures('secret')
    const signer = createSigner('secret')
    for (let second = 0; second < 120; second++) {
      const signed = await signatures.of('/message', NOW + second)
      expect(signer.verify(signed, NOW + second + 30)).toMatchObject({ value: '/message' })
    }
  })

  it('are made again when the clock is set back', async () => {
    const signatures = new Signatures('secret')
    const first = await signatures.of('/message', NOW)
    const second = await signatures.of('/message', NOW - 3600)
    expect(second).not.toBe(first)
    expect(createSigner('secret').verify(second, NOW - 3600)).toBeDefined()
  })

  it('are for the path that is called', async () => {
    const signatures = new Signatures('secret')
    expect(await signatures.of('/connect', NOW)).toMatch(/^\/connect\./)
    expect(await signatures.of('/info', NOW)).toMatch(/^\/info\./)
  })
})
