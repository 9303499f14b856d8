/** @param {readonly number[]} values */
export function median(values) {
  const sorted = values.toSorted((one, other) => one - other)
  const middle = sorted.length >> 1
  if (sorted.length === 0) return Number.NaN
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/** Half the distance from the lowest to the highest value, as a share of the median. */
export function spread(values) {
  const middle = median(values)
  return middle === 0 ? 0 : (Math.max(...values) - Math.min(...values)) / 2 / Math.abs(middle)
}

/**
 * Every figure of some rounds, as its median and spread.
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
