import { setTimeout as sleep } from 'node:timers/promises'
import { Mismatch, show } from './matcher.ts'
import { Session } from './session.ts'
import { playStep, refuseLeftovers, titleOf } from './steps.ts'
import type { Scenario } from './scenario.ts'
import type { Transport } from './session.ts'

/** How long to wait for unexpected messages. */
const LEFTOVERS_MS = 120

export class ScenarioFailure extends Error {
  override readonly name = 'ScenarioFailure'
  constructor(report: string, cause: unknown) {
    super(report, cause instanceof Mismatch ? {} : { cause }) // the report already describes a mismatch
    // The runner's own stack trace does not help to find the fault of the server.
    this.stack = `${this.name}: ${report}`
  }
}

interface Server {
  readonly host: string
  readonly port: number
  /** Resolves when what clients have begun is done. Without it, a moment has to be enough. */
  settled?(): Promise<void>
}

/** Plays a scenario against a server. Throws a `ScenarioFailure` at the first error. */
export async function play(
  scenario: Scenario,
  server: Server,
  transport: Transport = 'ws',
): Promise<void> {
  const secret = scenario.ini?.secret ?? 'secret'
  // The port is read each time, since it changes if there are several servers.
  const target = {
    host: server.host,
    get port() {
      return server.port
    },
    secret,
    settled: () => server.settled?.(),
  }
  const session = new Session(target, transport)
  try {
    for (const [i, step] of scenario.steps.entries()) {
      await explained(scenario, `step ${i + 1} of ${scenario.steps.length}: ${titleOf(step)}`, () =>
        playStep(step, session),
      )
    }
    if (scenario.leftovers === 'ignore') return
    await sleep(LEFTOVERS_MS)
    await explained(scenario, 'after the last step', () => refuseLeftovers(session))
  } finally {
    session.close()
  }
}

async function explained(
  { why }: Scenario,
  title: string,
  act: () => void | Promise<void>,
): Promise<void> {
  try {
    await act()
  } catch (error) {
    const lines = [title, ...describe(error), `  the rule    ${why}`]
    throw new ScenarioFailure(lines.join('\n'), error)
  }
}

function describe(error: unknown): string[] {
  if (!(error instanceof Mismatch)) return [`  ${String(error)}`]
  const { where, note, seen } = error
  return [
    `  at          ${where || '(answer)'}${note && `: ${note}`}`,
    `  expected    ${show(seen.expected)}`,
    `  actual      ${show(seen.actual)}`,
  ]
}
