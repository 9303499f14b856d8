import { describe, expect, it } from 'vitest'
import { Refusals } from '../../src/net/refusals.ts'
import { ManualClock } from '../helpers/clock.ts'

interface Line {
  readonly reason?: string
  readonly refused?: number
  readonly address?: string
}

function begin() {
  const clock = new ManualClock()
  const lines: Line[] = []
  const refusals = new Refusals(clock, { warn: (details) => void lines.push(details) })
  return { clock, lines, refusals }
}

describe('refused sockets', () => {
  it('are logged at once, and then once a minute with their number while there are more', async () => {
    const { clock, lines, refusals } = begin()
    for (let n = 0; n < 1000; n++) refusals.note('total')
    expect(lines).toEqual([{ reason: 'total', refused: 1 }])
    await clock.advance(59_000)
    expect(lines).toHaveLength(1)
    await clock.advance(1_000)
    expect(lines[1]).toEqual({ reason: 'total', refused: 999 })
    await clock.advance(600_000)
    expect(lines).toHaveLength(2)
    refusals.note('total')
    expect(lines[2]).toEqual({ reason: 'total', refused: 1 })
    expect(refusals.counts.total).toBe(1001)
  })

  it('are logged by reason, with the address that was refused last', async () => {
    const { clock, lines, refusals } = begin()
    refusals.note('address', '192.0.2.1')
    refusals.note('rate', '192.0.2.2')
    refusals.note('address', '192.0.2.3')
    await clock.advance(60_000)
    expect(lines).toEqual([
      { reason: 'address', refused: 1, address: '192.0.2.1' },
      { reason: 'rate', refused: 1, address: '192.0.2.2' },
      { reason: 'address', refused: 1, address: '192.0.2.3' },
    ])
    expect(refusals.counts).toEqual({ total: 0, open_files: 0, address: 2, rate: 1 })
  })

  it('that nobody was told of are logged when the server stops', () => {
    const { lines, refusals } = begin()
    for (let n = 0; n < 3; n++) refusals.note('open_files')
    refusals.stop()
    refusals.stop()
    expect(lines.map(({ refused }) => refused)).toEqual([1, 2])
  })
})
