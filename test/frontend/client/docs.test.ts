import { describe, expect, it } from 'vitest'
import { ChannelstreamConnection } from '../../../frontend/client/index.ts'
import { readPage, sectionOf } from '../../docs/markdown.ts'

const page = await readPage('docs/client.md')

/** The names of all members of a connection, inherited or own. */
function namesOf(connection: object): Set<string> {
  const names = new Set<string>()
  for (
    let face = connection;
    face !== Object.prototype;
    face = Object.getPrototypeOf(face) as object
  )
    for (const name of Object.getOwnPropertyNames(face)) names.add(name)
  // Not for pages.
  for (const name of ['constructor', 'inner', '__v_skip']) names.delete(name)
  return names
}

describe('docs/client.md', () => {
  const names = namesOf(new ChannelstreamConnection())

  it('names every property, method and callback', () => {
    expect(names.size).toBeGreaterThan(60)
    expect([...names].filter((name) => !new RegExp(`\\b${name}\\b`).test(page))).toEqual([])
  })

  it('names no callback that is not there', () => {
    const named = [...sectionOf(page, 'Callbacks').matchAll(/`(\w+Callback)\b/g)]
    expect(named.map(([, name = '']) => name).filter((name) => !names.has(name))).toEqual([])
  })
})
