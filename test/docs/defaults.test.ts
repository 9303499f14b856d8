import { describe, expect, it } from 'vitest'
import { SETTING_BY_NAME } from '../../src/config/schema.ts'
import { allPages, readPage, sectionOf } from './markdown.ts'

const pages = await allPages()

const UNITS = new Map([
  ['', 1],
  ['s', 1],
  ['KiB', 1024],
  ['MiB', 1024 ** 2],
])
const AMOUNT = /^([\d.]+) ?(s|KiB|MiB)?$/

/** Parses an amount such as `64 KiB`. Returns undefined if the text is not an amount. */
function amountOf(text: string): number | undefined {
  const [, digits, unit = ''] = AMOUNT.exec(text.trim()) ?? []
  return digits === undefined ? undefined : Number(digits) * (UNITS.get(unit) ?? NaN)
}

describe('defaults of settings', () => {
  it.each(pages)('are right where %s mentions them', async (path) => {
    const page = await readPage(path)
    for (const [, name = '', text = ''] of page.matchAll(/`(\w+)`\s\(([\d.][^)]*)\)/g)) {
      const setting = SETTING_BY_NAME.get(name)
      const amount = amountOf(text)
      if (setting && amount !== undefined) expect({ [name]: amount }).toEqual(only(name))
    }
  })

  it('are right in the table of limits', async () => {
    const table = sectionOf(await readPage('docs/migrating.md'), 'Limits')
    const rows = [...table.matchAll(/^\|[^|]+\| `(\w+)` +\| ([^|]+)\|/gm)]
    expect(rows.length).toBeGreaterThan(5)
    for (const [, name = '', text = ''] of rows)
      expect({ [name]: amountOf(text) }).toEqual(only(name))
  })
})

const only = (name: string) => ({ [name]: SETTING_BY_NAME.get(name)?.default })
