/**
 * Lints the description of the API with all rules of Spectral and the recommended ones of Redocly. Needs no network:
 * the rules are those of the installed packages.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import spectral from '@stoplight/spectral-core'
import rulesets from '@stoplight/spectral-rulesets'
import { openApiDocument } from './openapi-document.mjs'

const WEBSOCKETS = ['/paths/~1ws/get/responses', '/paths/~1admin~1live/get/responses']

/** Each is still found. One that is not found any more is a fault. */
const EXCEPTIONS = [
  {
    rules: ['redocly operation-2xx-response', 'spectral operation-success-response'],
    at: WEBSOCKETS,
    reason: 'A WebSocket opens with 101, and every other answer is a refusal.',
  },
  {
    rules: ['spectral info-contact'],
    at: ['/info'],
    reason: 'Whoever runs the server is the contact, and the server does not know them.',
  },
  {
    rules: ['spectral license-url'],
    at: ['/info/license'],
    reason: 'The license has an identifier of SPDX, and OpenAPI 3.1 allows only one of both.',
  },
  {
    rules: ['spectral openapi-tags-alphabetical'],
    at: ['/tags'],
    reason: 'The order is that of the explorer: what most people look for is first.',
  },
].flatMap(({ rules, at }) => rules.flatMap((rule) => at.map((place) => `${rule} at ${place}`)))

const document = await openApiDocument()
const problems = [...(await spectralProblems()), ...redoclyProblems()]
const unexpected = problems.filter(({ line }) => !EXCEPTIONS.includes(line))
const outdated = EXCEPTIONS.filter((line) => !problems.some((problem) => problem.line === line))
for (const { line, message } of unexpected) console.error(`${line}: ${message}`)
for (const line of outdated) console.error(`This exception is not needed any more: ${line}`)
if (unexpected.length + outdated.length > 0) process.exitCode = 1
else console.log(`The description of the API is clean, with ${EXCEPTIONS.length} exceptions.`)

async function spectralProblems() {
  const linter = new spectral.Spectral()
  linter.setRuleset({ extends: [[rulesets.oas, 'all']] })
  return (await linter.run(document)).map(({ code, message, path }) => ({
    line: `spectral ${code} at ${pointerOf(path)}`,
    message,
  }))
}

/** @param {readonly (string | number)[]} path */
function pointerOf(path) {
  const steps = path.map((step) => String(step).replaceAll('~', '~0').replaceAll('/', '~1'))
  return `/${steps.join('/')}`
}

function redoclyProblems() {
  const folder = mkdtempSync(join(tmpdir(), 'channelstream-openapi-'))
  try {
    const file = join(folder, 'openapi.json')
    writeFileSync(file, JSON.stringify(document))
    return JSON.parse(lintWithRedocly(file)).problems.map(({ ruleId, message, location }) => ({
      line: `redocly ${ruleId} at ${location[0].pointer.replace(/^#/, '')}`,
      message,
    }))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Returns its report as JSON. @param {string} file */
function lintWithRedocly(file) {
  const program = fileURLToPath(new URL('../node_modules/@redocly/cli/bin/cli.js', import.meta.url))
  const args = [program, 'lint', file, '--extends=recommended', '--format=json']
  const env = { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' }
  try {
    return execFileSync(process.execPath, args, { env, encoding: 'utf8', stdio: 'pipe' })
  } catch (error) {
    // Its status is 1 if a rule is broken.
    if (error.status === 1 && error.stdout.startsWith('{')) return error.stdout
    throw new Error(`Redocly failed:\n${error.stderr}`, { cause: error })
  }
}
