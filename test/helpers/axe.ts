import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import { screenshot } from './browser.ts'
import type { AxeResults, RunOptions } from 'axe-core'
import type { CDPSession, Page } from 'playwright-core'

const AXE = readFileSync(fileURLToPath(import.meta.resolve('axe-core/axe.min.js')), 'utf8')

/** Rules that depend on colours, the only difference between light and dark mode. */
const BY_COLOURS: RunOptions = {
  runOnly: { type: 'rule', values: ['color-contrast', 'link-in-text-block'] },
}

/**
 * Takes screenshots in light and dark mode, `NAME-light` and `NAME-dark`. Fails if axe-core finds serious or critical
 * accessibility problems.
 */
export async function expectAccessible(page: Page, name: string): Promise<void> {
  // By the debugger, because the Content-Security-Policy of the pages blocks injected scripts.
  const session = await page.context().newCDPSession(page)
  if (!(await evaluate(session, '"axe" in window'))) await evaluate(session, `${AXE};0`)
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme })
    await screenshot(page, `${name}-${colorScheme}`)
    const rules = colorScheme === 'light' ? {} : BY_COLOURS
    expect(await faults(session, rules), `${name}, ${colorScheme}`).toEqual([])
  }
  await session.detach()
}

/** Resolves with the violations, each with its elements. */
async function faults(session: CDPSession, rules: RunOptions): Promise<string[]> {
  const options = JSON.stringify({ ...rules, resultTypes: ['violations'] })
  const { violations, passes } = (await evaluate(session, `axe.run(${options})`)) as AxeResults
  expect(passes.length, 'rules that found something to look at').toBeGreaterThan(0)
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join('\n  ')}`)
}

/** Evaluates an expression in the page. Resolves with its value, awaited. */
async function evaluate(session: CDPSession, expression: string): Promise<unknown> {
  const evaluation = { expression, awaitPromise: true, returnByValue: true }
  const { result, exceptionDetails } = await session.send('Runtime.evaluate', evaluation)
  expect(exceptionDetails).toBeUndefined()
  return result.value
}
