import { readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { notBuiltPage, signInPage } from '../../../src/http/admin/pages.ts'

const coloursOf = (css: string): string[] => css.match(/--[\w-]+: light-dark\([^)]+\)/g) ?? []

it('the sign-in page has the colours of the panel', async () => {
  const theme = await readFile(
    new URL('../../../frontend/admin/src/theme.css', import.meta.url),
    'utf8',
  )
  const own = coloursOf(signInPage())
  expect(own.length).toBeGreaterThan(8)
  expect(coloursOf(theme)).toEqual(expect.arrayContaining(own))
})

it('a panel that is not built says how to build it', () => {
  expect(notBuiltPage()).toContain('<code>npm run build</code>')
})
