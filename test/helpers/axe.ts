import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import { screenshot } from './browser.ts'
import type { AxeResults, RunOptions } from 'axe-core'
import type { CDPSession, Page } from 'playwright-core'

const AXE = readFileSync(fileURLToPath(import.meta.resolve('axe-core/axe.min.js')), 'utf8')

/** What the colours decide, which are all that differs between the light and the dark. */
const BY_COLOURS: RunOptions = {
  runOnly: { type: 'rule', values: ['color-contrast', 'link-in-text-block'] },
}

/**
 * Takes pictures of the page in the light and in the dark, `NAME-light` and `NAME-dark`, and fails if axe-core finds
 * anything that keeps people out: faults that are serious or critical.
 */
export async function expectAccessible(page: Page, name: string): Promise<void> {
  // By the debugger, because the policies of pages let in no script.
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

/** Each with the elements at fault. */
async function faults(session: CDPSession, rules: RunOptions): Promise<string[]> {
  const options = JSON.stringify({ ...rules, resultTypes: ['violations'] })
  const { violations, passes } = (await evaluate(session, `axe.run(${options})`)) as AxeResults
  expect(passes.length, 'rules that found something to look at').toBeGreaterThan(0)
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join('\n  ')}`)
}

/** What it answers, once it has. */
async function evaluate(session: CDPSession, expression: string): Promise<unknown> {
  const evaluation = { expression, awaitPromise: true, returnByValue: true }
  const { result, exceptionDetails } = await session.send('Runtime.evaluate', evaluation)
  expect(exceptionDetails).toBeUndefined()
  return result.value
}
