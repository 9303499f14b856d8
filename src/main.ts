#!/usr/bin/env -S node --max-semi-space-size=16
import { StopSignals } from './cli/stop-signals.ts'

const [program = '', ...argv] = process.argv.slice(1)
/** True if `readCommand` would read the command `serve` or `philote`. */
const startsServer =
  /^(?!channelstream_utils)/.test(program.replace(/^.*[/\\]/, '')) &&
  /^(-.*|serve|philote)?$/.test(argv[0] ?? '')
// Before the other modules are loaded: signals may arrive while they load.
const signals = startsServer ? new StopSignals() : undefined
const { run } = await import('./cli/run.ts')
await run(program, argv, signals)
