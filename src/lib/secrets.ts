/** The values of a secret: the first one signs, all of them verify. So a secret can be replaced without a pause. */
export type Secrets = readonly [current: string, ...fallbacks: string[]]

/** Returns the current value and its fallbacks, each once. */
export const secretsOf = (current: string, fallbacks: readonly string[]): Secrets => {
  const others = new Set(fallbacks)
  others.delete(current)
  return [current, ...others]
}
