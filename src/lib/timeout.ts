/**
 * Settles like `work`, or rejects with `error()` if `work` takes longer than `ms` milliseconds. `work` goes on; a later
 * rejection of it is handled.
 */
export function withTimeout<Value>(
  work: Promise<Value>,
  ms: number,
  error: () => Error,
): Promise<Value> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(error()), Math.max(0, ms))
  })
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}
