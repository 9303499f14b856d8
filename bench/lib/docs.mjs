/** Writes docs/benchmarks.md from the results of a run. */
import { writeFile } from 'node:fs/promises'
import { isTooBusy } from './machine.mjs'
import { asMarkdown, remarksOn, tableOf } from './report.mjs'

const PAGE = new URL('../../docs/benchmarks.md', import.meta.url)

export const writePage = (results) => writeFile(PAGE, renderPage(results))

const WHY_MISSED = `
[Decision 20](decisions/0020-what-is-left-to-node.md) describes the limits of a server on Node, and what else was
tried.
`

/** @param {import('../run.mjs').Results} results */
export function renderPage(results) {
  const { machine, options, cores, about, skipped, outcomes, goals } = results
  const list = (lines) => lines.map((line) => `- ${line}`).join('\n')
  const goalRows = goals.map(({ text, found, verdict }) => [text, verdict, found])
  const remarks = remarksOn(outcomes)
  const sameCore = cores.server === cores.load
  return `# Benchmarks

<!-- Made by \`npm run bench -- --write-docs\`. Change bench/lib/docs.mjs, or run it again. -->

Figures of one run on one machine. Compare the figures within a row: on another machine all of them differ, but the
ratios are similar.

<!-- prettier-ignore -->
| | |
| --- | --- |
| Machine | ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGib} GiB |
| System | ${machine.kernel}, Node ${machine.node} |
| Date | ${machine.date} |
| Other work | ${isTooBusy(machine) ? `**${machine.busyPercent} % of the CPU before the run: these figures are unreliable**` : 'negligible'} |
| Rounds | ${options.rounds} of ${options.seconds} s for each figure |

## Goals

<!-- prettier-ignore -->
${asMarkdown([['Goal', 'Verdict', 'Found'], ...goalRows])}
${goals.some(({ verdict }) => verdict === 'miss') ? WHY_MISSED : ''}
## Figures

<!-- prettier-ignore -->
${asMarkdown(tableOf(results))}
${remarks.length > 0 ? `\n${list(remarks)}\n` : ''}
The columns:

${list(Object.entries(about).map(([name, text]) => `${name}: ${text}`))}
${skipped.length > 0 ? `\nNot available in this run:\n\n${list(skipped.map(({ name, reason }) => `${name}: ${reason}`))}\n` : ''}
## Method

\`\`\`
npm run bench -- --write-docs
\`\`\`

- Each server runs on one core (${cores.server}), the load generator ${sameCore ? 'on the same one, since there is no other: this lowers all rates' : `on another (${cores.load})`}, over loopback.
- Each round starts a fresh server, warms it up for a second, and measures for ${options.seconds} s. Peers take turns (A B C A B C …), so
  that a temporary slowdown of the machine affects all of them. A figure is the median of the rounds; ± is half the range
  from the lowest to the highest.
- Publishers are keep-alive connections. Each sends its next request when the last one has been answered, unless a rate
  is given. Frames are ${options.frameBytes} bytes long, or as long as a peer’s envelope alone if that is longer.
- When saturated, this server batches the events that arrive while it writes, so one write holds several events
  ([decision 19](decisions/0019-flushes-keep-a-distance.md)). The cost of a single delivery is measured at a rate that
  leaves nothing to batch.
- The load generator (\`bench/load\`, C) checks every frame: each published message must arrive exactly once and in order
  per publisher. A figure with a ! failed this check; the errors are listed below the table.
- Latency is the time from when a request was due until the frame was read. In rows without a rate, it is the latency of
  a saturated server, which says little.
- \`write-gather\` shows the capacity of the generator: a C server that only writes.
- CPU is the server’s user and system time. Memory per connection is resident memory at 10,000 open connections without
  traffic, less that of the fresh server, divided by 10,000. It includes the socket, the records of the connection and its
  user, and what the \`/connect\` requests left behind.
- \`npm run bench -- --help\` lists all options, such as measuring one scenario, or a server that is already running.
`
}
