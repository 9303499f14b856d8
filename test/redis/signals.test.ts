/** Signals that arrive while a server starts, or while a silent Redis delays its stop. */
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { afterAll, describe, expect, it, onTestFinished } from 'vitest'
import { endAll } from '../helpers/ending.ts'
import { until, within } from '../helpers/http.ts'
import { MAIN, ServerProcess } from '../helpers/process.ts'
import { freshPrefix } from '../helpers/redis-store.ts'
import { RedisServer } from '../helpers/redis.ts'
import type { AddressInfo } from 'node:net'
import type { StartOptions } from '../helpers/process.ts'

/** About a second, on a busy machine. */
const SOON_MS = 5000
const ENDED = { code: 0, signal: null }
const UNSHARE = '/usr/bin/unshare'

afterAll(endAll)

/** Accepts connections and never replies, so that a starting server waits for it. */
async function startSilent() {
  let count = 0
  const silent = createServer((socket) => {
    count++
    socket.on('error', () => {}) // the server has ended
  })
  await new Promise<void>((resolve) => void silent.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void silent.close())
  const { port } = silent.address() as AddressInfo
  const isAsked = (): Promise<void> => until(() => count > 0, 'a connection', 60_000)
  return { url: `redis://127.0.0.1:${port}`, isAsked }
}

/** The first process of a separate PID namespace, as in a container. */
const AS_FIRST = [UNSHARE, '--pid', '--fork', process.execPath, MAIN] as const

const COMMANDS = [
  { name: 'serve', args: ['--port', '0'], variable: 'CHANNELSTREAM_REDIS_URL' },
  { name: 'philote', args: ['philote'], variable: 'REDIS_URL' },
]

/** The child of a process, by its PID on this machine. */
const childOf = (pid: number): number =>
  Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim())

const canUnshare = async (): Promise<boolean> => {
  const tried = ServerProcess.startCommand(/there/, {
    command: [UNSHARE, '--pid', '--fork', 'echo', 'there'],
  })
  return tried.then(
    () => true,
    () => false,
  )
}

describe('a server that waits for its Redis at the start', { timeout: 90_000 }, () => {
  const start = async ({ args, variable }: (typeof COMMANDS)[number], more: StartOptions = {}) => {
    const redis = await startSilent()
    const starting = ServerProcess.spawned({ args, env: { [variable]: redis.url }, ...more })
    await redis.isAsked()
    return starting
  }

  for (const command of COMMANDS)
    it.each(['SIGTERM', 'SIGINT'] as const)(
      `ends as if it had stopped at a %s (${command.name})`,
      async (signal) => {
        const server = await start(command)
        server.signal(signal)
        expect(await within(server.exited, 'its end', SOON_MS)).toEqual(ENDED)
        expect(server.output).toBe('')
      },
    )

  it.each(COMMANDS)('ends as the first process of a container, too ($name)', async (command) => {
    if (!(await canUnshare()))
      return console.warn('not checked: this user may not make a namespace of processes')
    const server = await start(command, { command: [...AS_FIRST, ...command.args] })
    process.kill(childOf(server.pid), 'SIGTERM')
    expect(await within(server.exited, 'its end', SOON_MS)).toEqual(ENDED)
  })
})

describe('a server that loads itself', { timeout: 90_000 }, () => {
  /** Signals the process when it loads the module that runs commands, and with it everything else. */
  const EARLY = `
    import { register } from 'node:module'
    const hooks = \`
      let isDone = false
      export async function load(url, context, next) {
        if (!isDone && /\\\\/chunks\\\\/run-[^/]*\\\\.js$/.test(url)) {
          isDone = true
          process.kill(process.pid, 'SIGTERM')
        }
        return next(url, context)
      }\`
    register('data:text/javascript,' + encodeURIComponent(hooks))`

  it('hears signals before anything of it is loaded that takes time', async () => {
    const command = [process.execPath, '--import', './early.mjs', MAIN, '--port', '0'] as const
    const server = ServerProcess.spawned({ files: { 'early.mjs': EARLY }, command: [...command] })
    // Without a handler the signal itself would end it. Newer releases of Node load so fast that it may listen before.
    expect(await within(server.exited, 'its end', 20_000)).toEqual(ENDED)
  })
})

describe('a server that is told to stop while its Redis says nothing', { timeout: 90_000 }, () => {
  it('ends after redis_timeout', async () => {
    const redis = await RedisServer.start()
    const settings = { redis_url: redis.url, redis_prefix: freshPrefix(), redis_timeout: 1 }
    const server = await ServerProcess.start({ settings })
    redis.pause()
    server.signal('SIGTERM')
    expect(await within(server.exited, 'its end', 1000 + SOON_MS)).toEqual(ENDED)
    redis.resume()
  })
})
