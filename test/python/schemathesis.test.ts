/** Thousands of requests that schemathesis makes from the description of the API, for a minute. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { INSTALL_TIMEOUT_MS } from '../helpers/debian-packages.ts'
import { Backend } from '../helpers/http.ts'
import { ServerProcess, killProcesses } from '../helpers/process.ts'
import { ensurePythonPackages } from '../helpers/python-packages.ts'
import type { PythonPackages } from '../helpers/python-packages.ts'

const run = promisify(execFile)
const HOOKS = fileURLToPath(new URL('./', import.meta.url))
const SECONDS = 60
/** A run that fails can be repeated. Another seed makes other requests. */
const SEED = process.env['SCHEMATHESIS_SEED'] ?? '1'

/** Routes that it does not call, and why. */
const OTHER_ROUTES = new Map([
  ['/sse', 'Its answer ends only after gc_conns_after.'],
  ['/ws', 'It opens a WebSocket.'],
  ['/admin/live', 'It opens a WebSocket.'],
])
/** Checks that do not hold, and why. All others are made. */
const OTHER_CHECKS = new Map([
  [
    'negative_data_rejection',
    'Requests are described more narrowly than they are read: "yes" is true, as in the Python server (decision 0047).',
  ],
  [
    'positive_data_acceptance',
    'Replaced by accepted_or_refused_by_name: it does not know users and channels that do not exist.',
  ],
  [
    'unsupported_method',
    'It wants 405, and this server answers with 404, as the Python server did.',
  ],
])

let python: PythonPackages
let server: ServerProcess
let folder: string

beforeAll(async () => {
  python = await ensurePythonPackages()
  server = await ServerProcess.start({ settings: { wake_connections_after: 0.05 } })
  folder = await mkdtemp(join(tmpdir(), 'channelstream-schemathesis-'))
  const { text } = await new Backend(server).send('GET /openapi.json')
  await writeFile(join(folder, 'openapi.json'), text)
}, INSTALL_TIMEOUT_MS)
afterAll(async () => {
  await killProcesses()
  await rm(folder, { recursive: true, force: true })
})

describe('schemathesis', () => {
  it(
    'finds nothing that is not as described',
    async (context) => {
      if (python.missing !== undefined) return context.skip(python.missing)
      const args = [
        ...['run', 'openapi.json', '--url', server.url, '--seed', SEED],
        ...['--max-time', String(SECONDS), '--suppress-health-check', 'all', '--warnings', 'off'],
        ...['--exclude-checks', [...OTHER_CHECKS.keys()].join()],
        ...[...OTHER_ROUTES.keys()].flatMap((path) => ['--exclude-path', path]),
      ]
      const env = {
        ...process.env,
        CHANNELSTREAM_SECRET: 'secret',
        SCHEMATHESIS_HOOKS: 'schemathesis_hooks',
        PYTHONPATH: HOOKS,
        PYTHONDONTWRITEBYTECODE: '1',
      }
      const schemathesis = join(python.bin, 'schemathesis')
      const { stdout } = await run(schemathesis, args, {
        cwd: folder,
        env,
        maxBuffer: 64 * 1024 * 1024,
      }).catch((error: unknown) => error as { readonly stdout: string })
      expect(stdout).toContain('No issues found')
      const [, passed = '0'] =
        /(\d+) passed/.exec(stdout.slice(stdout.indexOf('Test cases:'))) ?? []
      expect(Number(passed)).toBeGreaterThan(200)
      // The server is as well as before, and has answered nothing with 500.
      expect((await new Backend(server).send('GET /health')).status).toBe(200)
      expect(server.stderr).not.toContain('a request failed')
    },
    (SECONDS + 120) * 1000,
  )
})
