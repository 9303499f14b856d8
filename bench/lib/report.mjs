/** Renders the results of a run as a table in text or Markdown. */
import { faultsOf } from '../goals.mjs'
import { FIGURES } from '../scenarios.mjs'

/**
 * One row per scenario and figure, one column per peer.
 *
 * @param {Pick<import('../run.mjs').Results, 'outcomes' | 'about'>} results
 */
export function tableOf({ outcomes, about }) {
  const names = Object.keys(about).filter((name) => outcomes.some(({ peers }) => peers[name]))
  const rows = outcomes.flatMap((outcome) =>
    outcome.shows.map((figure, index) => [
      index === 0 ? outcome.title : '',
      FIGURES[figure].label,
      ...names.map((name) => cell(outcome.peers[name], figure)),
    ]),
  )
  return [['', 'median ± half the range', ...names], ...rows]
}

function cell(peer, figure) {
  if (!peer) return ''
  if (peer.failed) return 'failed'
  const { median, spread } = peer.summary[figure] ?? {}
  if (median === undefined) return ''
  const digits = FIGURES[figure].digits
  const number = median.toLocaleString('en', {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  })
  const isFaulty = peer.rounds.some(faultsOf)
  return `${number}${peer.rounds.length > 1 ? ` ±${Math.round(spread * 100)}%` : ''}${isFaulty ? ' !' : ''}`
}

/**
 * @param {readonly (readonly string[])[]} table
 * @param {number} [texts] number of text columns on the left
 */
export function asText([head, ...rows], texts = 2) {
  const widths = head.map((_, column) =>
    Math.max(...[head, ...rows].map((row) => row[column].length)),
  )
  const line = (row) =>
    row
      .map((text, column) =>
        column < texts ? text.padEnd(widths[column]) : text.padStart(widths[column]),
      )
      .join('  ')
      .trimEnd()
  return [head, ...rows].map(line).join('\n')
}

/**
 * @param {readonly (readonly string[])[]} table
 * @param {number} [texts] number of text columns on the left
 */
export function asMarkdown([head, ...rows], texts = 2) {
  const line = (row) => `| ${row.join(' | ')} |`
  const rule = head.map((_, column) => (column < texts ? '---' : '---:'))
  return [head, rule, ...rows].map(line).join('\n')
}

/** Lists all problems of the run, one sentence each. */
export function remarksOn(outcomes) {
  const again = outcomes.filter(({ isAgain }) => isAgain).map(({ id }) => id)
  const repeated =
    again.length > 0
      ? [`measured again after the others, since the first run was disturbed: ${again.join(', ')}`]
      : []
  const found = outcomes.flatMap(({ id, peers }) =>
    Object.entries(peers).flatMap(([name, { rounds, failed }]) => {
      const remarks = failed ? [`${id}, ${name}: ${failed}`] : []
      for (const round of rounds) {
        const faults = faultsOf(round)
        if (faults) remarks.push(`${id}, ${name}: ${faults} of ${round.expected} deliveries`)
        if (round.loadCpuPercent > 90 && round.serverCpuPercent < 90) {
          remarks.push(`${id}, ${name}: the load generator was busy, the server was not`)
        }
      }
      return [...new Set(remarks)]
    }),
  )
  return [...repeated, ...found]
}
