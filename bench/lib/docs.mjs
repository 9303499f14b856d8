/** Writes docs/benchmarks.md from the results of a run. */
import { writeFile } from 'node:fs/promises'
import { isTooBusy } from './machine.mjs'
import { asMarkdown, remarksOn, tableOf } from './report.mjs'

const PAGE = new URL('../../docs/benchmarks.md', import.meta.url)

export const writePage = (results) => writeFile(PAGE, renderPage(results))

const WHY_MISSED = `
What a server on Node cannot get past, and what else was tried, is in
[decision 20](decisions/0020-what-is-left-to-node.md).
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

Figures of one run on one machine. They are for comparing what stands in one row; on another machine every one of them
is another, and the ratios are alike.

<!-- prettier-ignore -->
| | |
| --- | --- |
| Machine | ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGib} GiB |
| System | ${machine.kernel}, Node ${machine.node} |
| Date | ${machine.date} |
| Other work | ${isTooBusy(machine) ? `**${machine.busyPercent} % of the processors before the run: these figures mean little**` : 'none to speak of'} |
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
${skipped.length > 0 ? `\nNot there when this was made:\n\n${list(skipped.map(({ name, reason }) => `${name}: ${reason}`))}\n` : ''}
## How they were got

\`\`\`
npm run bench -- --write-docs
\`\`\`

- Each server runs on one core (${cores.server}), the load ${sameCore ? 'on the same one, for want of a second: all rates are lower for it' : `on another (${cores.load})`}; both on loopback.
- Each round starts a fresh server, warms it up for a second, and measures for ${options.seconds} s. Peers take turns (A B C A B C …), so
  that whatever slows the machine down for a while slows down all of them. A figure is the median of the rounds, and behind
  ± is half of the distance from the lowest to the highest.
- Publishers are keep-alive connections, each of which sends its next request when the last one has been answered, save
  where a rate is given. Frames are ${options.frameBytes} bytes long, or as long as a peer’s envelope alone if that is more.
- Where it is saturated, this server gathers what comes in while it writes, and a write holds several events
  ([decision 19](decisions/0019-flushes-keep-a-distance.md)). What a delivery costs by itself is measured at a rate that
  leaves nothing to gather.
- The load generator (\`bench/load\`, C) looks into every frame: each message that was published has to arrive exactly once
  and, of each publisher, in order. A figure with a ! did not pass; what was wrong stands below the table.
- Latency is counted from when a request was due to when the frame was read. In the rows without a rate it is what a
  saturated server gives, and says little.
- \`write-gather\` shows what the generator itself can take: a C server that does nothing but write.
- CPU is the server’s user and system time. Memory per connection is resident memory at 10,000 open connections without
  traffic less that of the fresh server, divided by 10,000: the socket, what is known of the connection and its user, and
  what announcing all of them left behind.
- \`npm run bench -- --help\` tells what else can be asked, such as one scenario, or a server that runs already.
`
}
