/** The examples in Python of docs/backend.md, run as written beside the client, and its tables. */
import { spawn } from 'node:child_process'
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { TokenChecker } from '../../src/philote/token.ts'
import { DEBIAN_PYTHON, INSTALL_TIMEOUT_MS, setup } from '../helpers/debian-packages.ts'
import { Backend, send, until } from '../helpers/http.ts'
import { freePort } from '../helpers/ports.ts'
import { startServer } from '../helpers/server.ts'
import { ROOT, fencesIn, readPage, sectionOf } from './markdown.ts'
import { at, run } from './running.ts'
import type { ConfigInput } from '../../src/config/load.ts'

const page = await readPage('docs/backend.md')
const python = sectionOf(page, 'Python')
const [first = '', errors = '', webhook = '', token = ''] = fencesIn(python, 'python')

beforeAll(setup, INSTALL_TIMEOUT_MS)

async function serve(settings: ConfigInput = {}) {
  const server = await startServer(settings)
  onTestFinished(() => server.close())
  return { server, address: `127.0.0.1:${server.port}` }
}

/** Saves a script beside a copy of the client, as the page says, and returns its path. */
async function save(script: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'channelstream-docs-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const name = 'channelstream_client.py'
  await copyFile(new URL(`examples/python/${name}`, ROOT), join(folder, name))
  await writeFile(join(folder, 'script.py'), script)
  return join(folder, 'script.py')
}

/** Runs a script that prints JSON. */
const read = async (script: string): Promise<unknown> =>
  JSON.parse((await run(DEBIAN_PYTHON, [await save(script)])).stdout)

describe('docs/backend.md, for Python,', () => {
  it('has a first example that works as written', async () => {
    const { address } = await serve()
    const { stdout } = await run(DEBIAN_PYTHON, [await save(at(address, first))])
    expect(stdout).toMatch(/^users: \['ann'\] conn_id: [0-9a-f-]{36}\n$/)
    expect(python).toContain("It prints `users: ['ann'] conn_id:`")
  })

  it('has an example of errors that tells users what to do', async () => {
    const { address } = await serve({ message_rate_per_user: 0.01, message_burst_per_user: 1 })
    const calls = 'print(say("ann", "a", "b"), say("ann", "a", "b"), say("", "a", "b"), sep="\\n")'
    const file = await save(`${at(address, errors)}\n${calls}\n`)
    const { stdout } = await run(DEBIAN_PYTHON, [file])
    expect(stdout).toMatch(/^Sent\.\nWait \d+ seconds\.\nNot sent: \{'0': \{'user': /)
    const away = errors.replace('"secret")', '"secret", retries=1)')
    const port = String(await freePort())
    const alone = await save(`${at(`127.0.0.1:${port}`, away)}\nprint(say("ann", "a", "b"))\n`)
    expect((await run(DEBIAN_PYTHON, [alone])).stdout).toBe('Try again later.\n')
  })

  it('has a receiver of webhooks that works as written', async () => {
    const port = String(await freePort())
    const child = spawn(DEBIAN_PYTHON, [await save(webhook.replace('9000', port))])
    onTestFinished(() => void child.kill())
    let output = ''
    child.stdout.on('data', (part: Buffer) => (output += part.toString()))
    const { server } = await serve({
      webhook_url: `http://127.0.0.1:${port}/channelstream`,
      webhook_secret: 'a long random text',
    })
    await new Backend(server).connect('ann', ['lobby'])
    for (const line of ['joined channel:lobby', 'user_online user:ann'])
      await until(() => output.includes(line), `${line} in: ${output}`)
    const answer = await send({ host: '127.0.0.1', port: Number(port) }, 'POST /channelstream', {
      body: '{}',
    })
    expect(answer.status).toBe(403)
  })

  it('has an example of a token that Philote accepts for an hour', async () => {
    const { stdout } = await run(DEBIAN_PYTHON, [await save(token)])
    const checkIn = (minutes: number) =>
      new TokenChecker('change-me', () => Date.now() + minutes * 60_000).check(stdout.trim())
    expect(await checkIn(59)).toMatchObject({ read: ['lobby'], write: new Set(['lobby']) })
    expect(await checkIn(61)).toHaveProperty('refusal')
  })

  it('lists every option with its default, and every class of errors', async () => {
    const { options, errors: classes } = (await read(`
import inspect, json
import channelstream_client as module

parameters = list(inspect.signature(module.Channelstream).parameters.values())
shown = {p.name: None if p.default in (p.empty, None) else p.default for p in parameters}
classes = [name for name in module.__all__ if inspect.isclass(getattr(module, name))]
print(json.dumps({"options": shown, "errors": [name for name in classes if name != "Channelstream"]}))
`)) as { options: Record<string, number | null>; errors: string[] }
    const rows = (title: string) =>
      [...sectionOf(page, title).matchAll(/^\| `(\w+)`\s*\| (\w+)/gm)].map(([, name, next]) => [
        name ?? '',
        next ?? '',
      ])
    const listed = rows('Options in Python').map(([name, shown]) => [
      name,
      /^\d+$/.test(shown ?? '') ? Number(shown) : null,
    ])
    expect(listed).toEqual(Object.entries(options))
    expect(
      rows('Errors in Python')
        .map(([name]) => name)
        .toSorted(),
    ).toEqual(classes.toSorted())
  })
})
