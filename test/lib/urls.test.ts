import { expect, it } from 'vitest'
import { pathOf, queryOf } from '../../src/lib/urls.ts'

it.each([
  ['/a/b?c=1&d=%20', '/a/b', { c: '1', d: ' ' }],
  ['/a?', '/a', {}],
  ['/a', '/a', {}],
  ['/a?b=?', '/a', { b: '?' }],
  ['?', '', {}],
  [undefined, '/', {}],
])('of %j the path is %j, and the query %j', (url, path, query) => {
  expect(pathOf(url)).toBe(path)
  expect(Object.fromEntries(queryOf(url))).toEqual(query)
})
