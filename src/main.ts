#!/usr/bin/env -S node --max-semi-space-size=16
import { StopSignals } from './cli/stop-signals.ts'
import { inBackground } from './lib/in-background.ts'

const [program = '', ...argv] = process.argv.slice(1)
/** True if `readCommand` would read the command `serve` or `philote`. */
const startsServer =
  /^(?!channelstream_utils)/.test(program.replace(/^.*[/\\]/, '')) &&
  /^(-.*|serve|philote)?$/.test(argv[0] ?? '')
// Before the other modules are loaded: signals may arrive while they load.
const signals = startsServer ? new StopSignals() : undefined
// Not with `await`: an executable (`scripts/build-binary.mjs`) has a CommonJS module.
inBackground(
  import('./cli/run.ts').then(({ run }) => run(program, argv, signals)),
  (error) => {
    throw error
  },
)
