import type { Reporter, TestCase, TestModule, TestRunEndReason, Vitest } from 'vitest/node'

/**
 * Ends every run with a machine-readable line, `12 passed, 0 failed`, after a list of skipped tests. Must be the last
 * of the `reporters`.
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
    // A run can fail without a failed test, for example when no test is found.
    const failed = Math.max(failures, reason === 'passed' ? 0 : 1)

    for (const test of skipped) this.#print(`skipped: ${nameOf(test)} (${whySkipped(test)})`)
    const counts = [`${passed.length} passed`, `${failed} failed`]
    if (skipped.length) counts.push(`${skipped.length} skipped`)
    this.#print(counts.join(', '))
  }

  /** Tests excluded by `-t` are marked as skipped too, but do not count as skipped. */
  #isSelected(test: TestCase): boolean {
    const pattern = test.project.config.testNamePattern
    return !pattern || pattern.test(test.fullName.replaceAll(' > ', ' '))
  }

  #print(line: string): void {
    this.#vitest?.logger.log(line)
  }
}

/** Failed tests, tests that never ended, and failures while loading files or in hooks. */
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
