import type { Reporter, TestCase, TestModule, TestRunEndReason, Vitest } from 'vitest/node'

/**
 * Ends every run with a line that a script can read, `12 passed, 0 failed`, and names what was
 * skipped before it. Has to come last in `reporters`.
 */
export default class ClosingLine implements Reporter {
  #vitest: Vitest | undefined

  onInit(vitest: Vitest): void {
    this.#vitest = vitest
  }

  onTestRunEnd(
    modules: readonly TestModule[],
    unhandledErrors: readonly unknown[],
    reason: TestRunEndReason,
  ): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()])
    const skipped = tests.filter((test) => stateOf(test) === 'skipped' && this.#isSelected(test))
    const passed = tests.filter((test) => stateOf(test) === 'passed')
    const failures = sum(modules.map(failuresOf)) + unhandledErrors.length
    // A run can fail without a test to blame, for one when no test is found.
    const failed = Math.max(failures, reason === 'passed' ? 0 : 1)

    for (const test of skipped) this.#print(`skipped: ${nameOf(test)} (${whySkipped(test)})`)
    const counts = [`${passed.length} passed`, `${failed} failed`]
    if (skipped.length) counts.push(`${skipped.length} skipped`)
    this.#print(counts.join(', '))
  }

  /** Tests left out with `-t` are marked as skipped too, but nobody meant to skip them. */
  #isSelected(test: TestCase): boolean {
    const pattern = test.project.config.testNamePattern
    return !pattern || pattern.test(test.fullName.replaceAll(' > ', ' '))
  }

  #print(line: string): void {
    this.#vitest?.logger.log(line)
  }
}

/** Failed tests, tests that never ended, and failures around tests: in loading, in hooks. */
function failuresOf(module: TestModule): number {
  const tests = [...module.children.allTests()]
  const failed = tests.filter((test) => ['failed', 'pending'].includes(stateOf(test))).length
  const around = [module, ...module.children.allSuites()].filter((suite) => suite.errors().length)
  return Math.max(failed + around.length, module.ok() ? 0 : 1)
}

function stateOf(test: TestCase): string {
  return test.result().state
}

function nameOf(test: TestCase): string {
  return `${test.module.relativeModuleId} > ${test.fullName}`
}

function whySkipped(test: TestCase): string {
  const result = test.result()
  if (result.state === 'skipped' && result.note) return result.note
  if (test.options.mode === 'todo') return 'to do'
  return test.parent.errors().length ? 'a hook failed before it' : 'no reason given'
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
