/**
 * Searches from place `low` up to, but without, `high`. Returns the first place that is right, or `high` if there is none.
 * If a place is right, all places after it must be right too.
 */
export function firstPlace(low: number, high: number, isRight: (place: number) => boolean): number {
  while (low < high) {
    const middle = (low + high) >> 1
    if (isRight(middle)) high = middle
    else low = middle + 1
  }
  return low
}
