/** Merges scenarios that were measured again into earlier results. */
import { checkGoals } from '../goals.mjs'

/** Replaces scenarios of the earlier run with those of the later one. Marks them, since they are from another run. */
export function inPlaceOf(earlier, later) {
  const missing = later.outcomes.find(({ id }) => !earlier.outcomes.some((one) => one.id === id))
  if (missing) throw new Error(`--again: the earlier run has no scenario ${missing.id}`)
  const outcomes = earlier.outcomes.map((outcome) => {
    const played = later.outcomes.find(({ id }) => id === outcome.id)
    return played ? { ...played, isAgain: true } : outcome
  })
  return { ...earlier, outcomes, goals: checkGoals(outcomes) }
}
