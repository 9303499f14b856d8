import { existsSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { ROOT, allPages, anchorOf, headingsOf, linksOf, readPage } from './markdown.ts'

const pages = await allPages()

describe('pages of the documentation', () => {
  it.each(pages)('%s links to what is there', async (path) => {
    const broken: string[] = []
    for (const link of linksOf(await readPage(path)))
      if (!(await leadsSomewhere(path, link))) broken.push(link)
    expect(broken).toEqual([])
  })

  it.each(pages)('%s names files that are there', async (path) => {
    const page = await readPage(path)
    const named = [
      ...page.matchAll(/`((?:src|frontend|demo|bench|test|scripts|docs|examples)\/[\w./-]*)`/g),
    ]
    const missing = named.map(([, file = '']) => file).filter((file) => !existsSync(url(file)))
    expect(missing).toEqual([])
  })

  it('are all found from the README, by way of others', async () => {
    const found = new Set(['README.md'])
    for (const path of found)
      for (const link of linksOf(await readPage(path)))
        for (const page of [targetOf(path, link), `${targetOf(path, link)}/README.md`])
          if (pages.includes(page)) found.add(page)
    expect(pages.filter((page) => !found.has(page))).toEqual([])
  })
})

const url = (path: string): URL => new URL(path, ROOT)

/** Returns the file that a link leads to, relative to the root, without the anchor. */
function targetOf(path: string, link: string): string {
  const [file = ''] = link.split('#')
  if (file === '') return path
  return new URL(file, url(path)).href.slice(ROOT.href.length)
}

async function leadsSomewhere(path: string, link: string): Promise<boolean> {
  if (/^https?:/.test(link)) return true
  const file = targetOf(path, link)
  const [, anchor] = link.split('#')
  if (!existsSync(url(file))) return false
  if (anchor === undefined) return true
  return headingsOf(await readPage(file)).some(({ text }) => anchorOf(text) === anchor)
}
