import { describe, expect, it } from 'vitest'
import * as protocol from '../../src/protocol/index.ts'
import { readPage } from './markdown.ts'

interface Script {
  readonly PAGES: readonly string[]
  readonly makeParts: (schemas: object) => ReadonlyMap<string, string>
  readonly fillIn: (page: string, parts: ReadonlyMap<string, string>) => string
}

const script = new URL('../../scripts/protocol-docs.mjs', import.meta.url).href
const { PAGES, makeParts, fillIn } = (await import(script)) as Script
const parts = makeParts(protocol)

describe('what is made from the schemas', () => {
  it.each(PAGES)('stands in %s as it is made now', async (path) => {
    const page = await readPage(path)
    const advice = `${path} is stale: npm run build && node scripts/protocol-docs.mjs`
    expect(fillIn(page, parts), advice).toBe(page)
  })

  it('is shown on some page, every part of it', async () => {
    const pages = (await Promise.all(PAGES.map(readPage))).join('\n')
    const shown = [...pages.matchAll(/<!-- made: (\w+) -->/g)].map(([, name]) => name)
    expect(shown.toSorted()).toEqual([...parts.keys()].toSorted())
  })
})
