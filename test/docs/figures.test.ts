/** Figures that pages take from docs/benchmarks.md. `npm run bench -- --write-docs` changes that page. */
import { describe, expect, it } from 'vitest'
import { readPage, sectionOf } from './markdown.ts'

const benchmarks = sectionOf(await readPage('docs/benchmarks.md'), 'Figures')
const production = sectionOf(await readPage('docs/production.md'), 'Size')
const readme = sectionOf(await readPage('README.md'), 'Why this one')

/** Returns the cells of each row of the tables of a text, without their heads. */
const rowsOf = (text: string): string[][] =>
  text
    .split('\n')
    .filter((line) => /^\|.*\d/.test(line))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )

/** Returns the figures in a text, as `28,149` or `6.3`. */
const figuresOf = (text: string): string[] => text.match(/\d[\d,.]*\d|\d/g) ?? []

/** Returns the part of the benchmarks that is about one load: its row, and those below without a load. */
function partOf(load: string): string {
  const [, part] = benchmarks.split(`\n| ${load} |`)
  if (part === undefined) throw new Error(`docs/benchmarks.md has no row ${load}`)
  return part.split(/\n\| (?! )/)[0] ?? ''
}

const advice = 'docs/benchmarks.md has other figures now: correct this page'

describe('figures from docs/benchmarks.md', () => {
  const measured = rowsOf(production.split('With a `data_dir`')[0] ?? '')

  it('are in docs/production.md as they were measured', () => {
    expect(measured.length).toBeGreaterThan(9)
    for (const [, figures = '', row = ''] of measured) {
      for (const figure of figuresOf(figures))
        expect(figuresOf(partOf(row)), `${advice}: ${row}`).toContain(figure)
    }
  })

  it('are in the README as they were measured', () => {
    const speed = rowsOf(readme.split('**Speed**')[1] ?? '')
    expect(speed).toHaveLength(6)
    const all = figuresOf(benchmarks)
    for (const [, ...figures] of speed)
      for (const figure of figures) expect(all, advice).toContain(figure)
  })
})
