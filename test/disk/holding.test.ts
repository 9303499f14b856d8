import { existsSync, mkdirSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { holdDirectory } from '../../src/store/disk/holder.ts'
import { freshDirectory } from '../helpers/disk-store.ts'
import { Backend, within } from '../helpers/http.ts'
import { ServerProcess, killProcesses } from '../helpers/process.ts'

afterAll(killProcesses)

describe('a data directory', () => {
  it('belongs to one process: the second one says which, and exits', async () => {
    const directory = freshDirectory()
    const first = await ServerProcess.start({ settings: { data_dir: directory } })
    const second = await ServerProcess.run({
      args: ['--port', '0'],
      settings: { data_dir: directory },
    })
    expect(second.exit.code).toBe(1)
    expect(second.stderr.trim()).toBe(
      `channelstream: data_dir: ${directory} is in use by process ${first.pid} on ${hostname()}. ` +
        'Stop that server, or use another directory',
    )
    // The first one is not disturbed.
    await new Backend(first).connect('ann', ['room'])
    await second.kill()
    await first.kill()
  })

  it('is free after its process was killed, and after it has stopped', async () => {
    const directory = freshDirectory()
    const settings = { data_dir: directory }
    const killed = await ServerProcess.start({ settings })
    await killed.kill()
    expect(existsSync(join(directory, 'lock'))).toBe(true)
    const stopped = await ServerProcess.start({ settings })
    stopped.signal('SIGTERM')
    expect(await stopped.ended()).toMatchObject({ code: 0 })
    await stopped.kill()
    const hold = await holdDirectory(directory)
    await hold.release()
  })

  it('has one holder when several try at once', async () => {
    const directory = freshDirectory()
    const settings = { data_dir: directory }
    // Leaves a lock behind.
    await (await ServerProcess.start({ settings })).kill()
    const tries = await Promise.allSettled(
      Array.from({ length: 8 }, () => within(holdDirectory(directory), 'a decision')),
    )
    const holds = tries.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
    expect(holds).toHaveLength(1)
    await holds[0]?.release()
  })

  it('is not held by a process that is frozen without an answer', async () => {
    const directory = freshDirectory()
    const server = await ServerProcess.start({ settings: { data_dir: directory } })
    server.signal('SIGSTOP')
    await expect(holdDirectory(directory)).rejects.toThrow(
      'is in use by a process that does not answer',
    )
    server.signal('SIGCONT')
    await server.kill()
  })

  it('must have a path that the lock fits in', async () => {
    const long = join(freshDirectory(), 'x'.repeat(100))
    mkdirSync(long)
    await expect(holdDirectory(long)).rejects.toThrow('use one of at most 95 bytes')
  })
})
