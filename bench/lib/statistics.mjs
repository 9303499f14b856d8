/** @param {readonly number[]} values */
export function median(values) {
  const sorted = values.toSorted((one, other) => one - other)
  const middle = sorted.length >> 1
  if (sorted.length === 0) return Number.NaN
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/** Half the range of the values, relative to the median. */
export function spread(values) {
  const middle = median(values)
  return middle === 0 ? 0 : (Math.max(...values) - Math.min(...values)) / 2 / Math.abs(middle)
}

/**
 * Returns the median and spread of each figure over the rounds.
 *
 * @param {readonly Record<string, number>[]} rounds
 * @returns {Record<string, { median: number, spread: number }>}
 */
export function summarise(rounds) {
  const names = Object.keys(rounds[0] ?? {})
  return Object.fromEntries(
    names.map((name) => {
      const values = rounds.map((round) => round[name])
      return [name, { median: median(values), spread: spread(values) }]
    }),
  )
}
