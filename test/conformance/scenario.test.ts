import { describe, expect, it } from 'vitest'
import { loadScenarios } from './scenario.ts'

describe('loadScenarios', () => {
  const labels = loadScenarios().map(({ label }) => label)

  it('finds all of them, in the folder below too', () => {
    expect(labels).toHaveLength(206)
    expect(labels.filter((label) => label.startsWith('deviations/'))).toHaveLength(19)
    expect(new Set(labels).size).toBe(labels.length)
  })
})
