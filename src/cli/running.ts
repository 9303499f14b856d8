/** What commands share that start a server. */

export interface Voice {
  /** To standard output. */
  readonly print: (sentence: string) => void
  /** To standard error. */
  readonly tell: (sentence: string) => void
}

/** Host and port for people who try it out on this machine, and what else there is to say of the host. */
export function shownAddress(host: string, port: number): { authority: string; remark: string } {
  const shown = ['0.0.0.0', '::', ''].includes(host) ? '127.0.0.1' : host
  return {
    authority: `${shown.includes(':') ? `[${shown}]` : shown}:${port}`,
    remark: shown === host ? '' : ` (${host}: every address)`,
  }
}

/** The first signal stops in order; a second one stops at once. */
export function stopOnSignal(app: { stop(): Promise<void> }, tell: Voice['tell']): void {
  let isStopping = false
  const onSignal = (): void => {
    if (isStopping) process.exit(1)
    isStopping = true
    app.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        tell(`could not stop in order: ${error instanceof Error ? error.message : String(error)}`)
        process.exit(1)
      },
    )
  }
  process.on('SIGTERM', onSignal)
  process.on('SIGINT', onSignal)
}
