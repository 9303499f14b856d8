/** For work that nobody waits for: its error is told as one that nothing caught. */
export function inBackground(work: Promise<unknown>): void {
  work.catch(reportError)
}
