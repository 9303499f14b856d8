/** Passes errors of work that no caller waits for to `onFault`. No other code leaves a promise unhandled. */
export function inBackground(work: unknown, onFault: (error: unknown) => void): void {
  if (work instanceof Promise) work.catch(onFault)
}
