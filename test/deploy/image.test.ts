/** The image, without Docker: its steps are run in an empty folder, and what they made is started as the image would be. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, chown, mkdtemp, readdir, rm } from 'node:fs/promises'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Backend, send, until, within } from '../helpers/http.ts'
import { freePort } from '../helpers/ports.ts'
import type { ChildProcess } from 'node:child_process'

const run = promisify(execFile)
const ROOT = new URL('../../', import.meta.url).pathname

interface Image {
  readonly root: string
  readonly workdir: string
  readonly env: Readonly<Record<string, string>>
  readonly user: string
  readonly command: readonly [string, ...string[]]
  readonly check: readonly [string, ...string[]]
}

/** Who has no rights here. Tests that do not run as root cannot become somebody else, and have few rights already. */
const NOBODY = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}
const SECRET = 'of these tests only'
const SECRETS = { CHANNELSTREAM_SECRET: SECRET, CHANNELSTREAM_ADMIN_SECRET: 'not the default' }

/** An address of this machine that is not on loopback, as all are in a container. */
const outside = Object.values(networkInterfaces())
  .flat()
  .find((one) => one?.family === 'IPv4' && !one.internal)?.address

describe('the image', { timeout: 60_000 }, () => {
  let folder: string
  let image: Image
  const children: ChildProcess[] = []

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'channelstream-image-'))
    await chmod(folder, 0o755)
    const { stdout } = await run('node', ['scripts/run-dockerfile.mjs', folder], {
      cwd: ROOT,
      maxBuffer: 16_000_000,
    })
    image = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Image
    expect(image.env['CHANNELSTREAM_DATA_DIR']).toBe('/data')
    if (NOBODY.uid) await chown(join(image.root, 'data'), NOBODY.uid, NOBODY.gid)
  }, 600_000)
  afterAll(async () => {
    for (const child of children) child.kill('SIGKILL')
    await rm(folder, { recursive: true, force: true })
  })

  function start(env: Readonly<Record<string, string>>) {
    const [program, ...args] = image.command
    const child = spawn(program === 'node' ? process.execPath : program, args, {
      cwd: image.workdir,
      env: { ...image.env, CHANNELSTREAM_DATA_DIR: join(image.root, 'data'), ...env },
      ...NOBODY,
    })
    children.push(child)
    const output: string[] = []
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => output.push(text))
    const ended = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>
    return { child, ended, output: () => output.join('') }
  }

  async function startOnPort(env: Readonly<Record<string, string>> = {}) {
    const port = await freePort()
    const server = start({ ...SECRETS, CHANNELSTREAM_PORT: String(port), ...env })
    const isOver = () => server.child.exitCode !== null
    await until(() => server.output().includes('listens on') || isOver(), 'the start')
    expect(isOver(), server.output()).toBe(false)
    return { ...server, port }
  }

  const check = (port: number) =>
    run(process.execPath, image.check.slice(1), {
      cwd: image.workdir,
      env: { ...image.env, CHANNELSTREAM_PORT: String(port) },
    })

  it('has the program and what it serves, and nothing else', async () => {
    expect((await readdir(image.root)).toSorted()).toEqual(['app', 'data'])
    const files = await readdir(image.workdir)
    expect(files.toSorted()).toEqual(['LICENSE', 'dist', 'health.mjs', 'package.json'])
    expect(image.user).toBe('1000:1000')
  })

  it('serves its backends, who are never on loopback, and keeps their data in /data', async () => {
    const { port, child, ended } = await startOnPort()
    const server = { host: outside ?? '127.0.0.1', port }
    const backend = new Backend(server, SECRET)
    const connId = await backend.connect('ann', ['room'])
    await backend.say('room', 'hello')
    const poll = await send(server, `GET /listen?conn_id=${connId}`)
    expect(poll.body).toMatchObject([{ message: { text: 'hello' } }])
    for (const path of ['/admin/sign_in', '/client/channelstream.js'])
      expect((await send(server, `GET ${path}`)).status, path).toBe(200)
    child.kill('SIGTERM')
    expect(await within(ended, 'the end', 15_000)).toEqual([0, null])
    expect((await readdir(image.workdir)).length).toBe(4)
    const again = await startOnPort()
    const { channels } = await new Backend({ ...server, port: again.port }, SECRET).info()
    expect(Object.keys(channels)).toEqual(['room'])
    again.child.kill('SIGTERM')
    await again.ended
  })

  it('is healthy while its server responds', async () => {
    const { port, child, ended } = await startOnPort()
    expect((await check(port)).stdout).toContain('200')
    child.kill('SIGKILL')
    await ended
    await expect(check(port)).rejects.toMatchObject({ code: 1 })
  })

  it('does not start with the secrets that everybody knows, and says so', async () => {
    const { ended, output } = start({ CHANNELSTREAM_PORT: '0' })
    const [code] = await within(ended, 'the end', 20_000)
    expect(code).toBe(1)
    expect(output()).toMatch(/secret/)
  })

  it('runs the other commands of the program', async () => {
    const [, ...args] = image.command
    const { stdout } = await run(process.execPath, [...args, '--version'], {
      cwd: image.workdir,
      env: image.env,
    })
    expect(stdout).toMatch(/\d+\.\d+\.\d+/)
  })
})
