/** Gives the error of work that no caller waits for to `onFault`. No other code lets go of a promise. */
export function inBackground(work: unknown, onFault: (error: unknown) => void): void {
  if (work instanceof Promise) work.catch(onFault)
}
