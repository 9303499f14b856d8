import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { readFile, readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it, onTestFinished } from 'vitest'
import { parse } from 'yaml'

const run = promisify(execFile)
const ROOT = new URL('../../', import.meta.url).pathname
const CLIENT = 'frontend/client/package.json'
const FILES = ['package.json', 'package-lock.json', CLIENT, 'CHANGELOG.md']
const WORKFLOWS = '.github/workflows/'

/** A copy of the files that a release changes. */
function copyOfFiles(): string {
  const folder = mkdtempSync(join(tmpdir(), 'channelstream-release-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  mkdirSync(join(folder, 'frontend/client'), { recursive: true })
  for (const file of FILES) cpSync(join(ROOT, file), join(folder, file))
  return folder
}

const change = (folder: string, file: string, from: string | RegExp, to: string): void => {
  const text = readFileSync(join(folder, file), 'utf8')
  expect(text).toMatch(from)
  writeFileSync(join(folder, file), text.replace(from, to))
}

/** Resolves with what a script of this project prints there, and whether it succeeds. */
async function runScript(name: string, folder: string, args: readonly string[] = []) {
  const script = join(ROOT, 'scripts', name)
  const failed = (error: unknown) => error as { readonly code: number; readonly stderr: string }
  const result = await run(process.execPath, [script, ...args], { cwd: folder }).catch(failed)
  return { isRight: !('code' in result), stderr: result.stderr }
}

describe('a release', () => {
  it('has one version: npm version gives it to the package of the client', async () => {
    const folder = copyOfFiles()
    change(folder, 'package.json', '"version": "1.0.0"', '"version": "1.2.3-rc.4"')
    await runScript('copy-version.mjs', folder)
    const before = readFileSync(join(ROOT, CLIENT), 'utf8')
    const after = readFileSync(join(folder, CLIENT), 'utf8')
    expect(after).toBe(before.replace('"version": "1.0.0"', '"version": "1.2.3-rc.4"'))
  })

  it('is refused with all that does not fit', async () => {
    const { isRight, stderr } = await runScript('check-release.mjs', copyOfFiles(), ['v9.9.9'])
    expect(isRight).toBe(false)
    expect(stderr).toMatch(/the tag is v9\.9\.9/)
    expect(stderr).toMatch(/CHANGELOG\.md has no section/)
    expect(stderr).toMatch(/no "repository"/)
  })

  it('is accepted if tag, packages, lock file and CHANGELOG.md agree', async () => {
    const folder = copyOfFiles()
    change(folder, 'CHANGELOG.md', '## Unreleased', '## [1.0.0] - 2026-12-24')
    for (const file of ['package.json', CLIENT])
      change(folder, file, '"license"', '"repository": "example/channelstream",\n  "license"')
    expect(await runScript('check-release.mjs', folder, ['v1.0.0'])).toMatchObject({
      isRight: true,
    })
    change(folder, CLIENT, '"1.0.0"', '"1.0.1"')
    const { stderr } = await runScript('check-release.mjs', folder, ['v1.0.0'])
    expect(stderr).toBe('frontend/client/package.json has 1.0.1\n')
  })
})

interface Step {
  readonly run?: string
  readonly uses?: string
}
interface Job {
  readonly uses?: string
  readonly steps?: readonly Step[]
  readonly permissions?: Readonly<Record<string, string>>
}
interface Workflow {
  readonly permissions: Readonly<Record<string, string>>
  readonly jobs: Readonly<Record<string, Job>>
}

describe('the workflows', async () => {
  const { scripts } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as {
    scripts: Readonly<Record<string, string>>
  }
  const names = await readdir(join(ROOT, WORKFLOWS))
  const workflows = await Promise.all(
    names.map(async (name) => {
      const text = await readFile(join(ROOT, WORKFLOWS, name), 'utf8')
      return { name, text, workflow: parse(text) as Workflow }
    }),
  )

  it.each(workflows)('$name runs what there is, with fixed versions', ({ workflow }) => {
    const steps = Object.values(workflow.jobs).flatMap(({ steps: own = [] }) => own)
    const commands = steps.flatMap(({ run: command }) => command ?? [])
    const run = commands.flatMap((command) => /^npm run ([\w:]+)/.exec(command)?.[1] ?? [])
    for (const script of run) expect(Object.keys(scripts)).toContain(script)
    for (const { uses } of steps) if (uses !== undefined) expect(uses).toMatch(/@v\d+$/)
    expect(commands.length).toBeGreaterThan(0)
  })

  it.each(workflows)('$name has no secret, and may write nothing but provenance', (given) => {
    const { text, workflow } = given
    expect(text).not.toContain('secrets.')
    const granted = [workflow, ...Object.values(workflow.jobs)].flatMap(({ permissions = {} }) =>
      Object.entries(permissions),
    )
    const written = granted.filter(([, access]) => access !== 'read').map(([what]) => what)
    expect(written).toEqual(text.includes('npm publish') ? ['id-token'] : [])
  })

  it('publish only what has passed the check on all versions', () => {
    const release = workflows.find(({ name }) => name === 'release.yaml')?.workflow.jobs
    expect(release?.['check']?.uses).toBe('./.github/workflows/check.yaml')
    expect(release?.['publish']).toMatchObject({ needs: 'check' })
  })
})
