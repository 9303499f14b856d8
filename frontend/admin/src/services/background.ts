/** Runs work that nobody awaits. Reports its error as uncaught. */
export function inBackground(work: Promise<unknown>): void {
  work.catch(reportError)
}
