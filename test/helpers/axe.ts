import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Page } from 'playwright-core'

const AXE = readFileSync(fileURLToPath(import.meta.resolve('axe-core/axe.min.js')), 'utf8')

interface Violation {
  readonly id: string
  readonly impact: string | null
  readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[]
}

/** What axe-core finds that keeps people out: faults that are serious or critical, each with the elements at fault. */
export async function accessibilityFaults(page: Page): Promise<string[]> {
  // Evaluated from outside, so that the page's own rules for scripts stay as they are.
  await page.evaluate(AXE)
  const violations = await page.evaluate(
    async () =>
      (
        (await (
          globalThis as unknown as { axe: { run(options: object): Promise<unknown> } }
        ).axe.run({ resultTypes: ['violations'] })) as { violations: Violation[] }
      ).violations,
  )
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join('\n  ')}`)
}
