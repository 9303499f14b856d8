/** Rows of the table that are measured again. */
import { checkGoals } from '../goals.mjs'

/** An earlier run, with the scenarios of a later one in their places; marked, because they are not of one run. */
export function inPlaceOf(earlier, later) {
  const missing = later.outcomes.find(({ id }) => !earlier.outcomes.some((one) => one.id === id))
  if (missing) throw new Error(`--again: the earlier run has no scenario ${missing.id}`)
  const outcomes = earlier.outcomes.map((outcome) => {
    const played = later.outcomes.find(({ id }) => id === outcome.id)
    return played ? { ...played, isAgain: true } : outcome
  })
  return { ...earlier, outcomes, goals: checkGoals(outcomes) }
}
