#!/usr/bin/env -S node --max-semi-space-size=16
import { StopSignals } from './cli/stop-signals.ts'

const [program = '', ...argv] = process.argv.slice(1)
/** What `readCommand` takes for the command to serve, or for that of Philote. */
const startsServer =
  /^(?!channelstream_utils)/.test(program.replace(/^.*[/\\]/, '')) &&
  /^(-.*|serve|philote)?$/.test(argv[0] ?? '')
// Before everything else is loaded, which takes a moment in which signals come, too.
const signals = startsServer ? new StopSignals() : undefined
const { run } = await import('./cli/run.ts')
await run(program, argv, signals)
