import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { Backend, send } from '../helpers/http.ts'
import { ServerProcess, killProcesses } from '../helpers/process.ts'
import type { StartOptions } from '../helpers/process.ts'

const OWN_SECRETS = { secret: 'own', admin_secret: 'own too' }

/** Returns whether anything listens at another address of this machine than the usual one. */
const isReachable = (port: number, host: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ host, port })
    socket.once('connect', () => resolve(true))
    socket.once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })

/** Resolves when a server has stopped, with its complete output. */
async function stopped(server: ServerProcess): Promise<ServerProcess> {
  server.signal('SIGTERM')
  await server.exited
  return server
}

const started = async (options: StartOptions): Promise<ServerProcess> =>
  stopped(await ServerProcess.start(options))

const ini = (...lines: string[]) => ({
  args: ['--ini', 'test.ini'],
  files: { 'test.ini': ['[channelstream]', ...lines, ''].join('\n') },
})

afterAll(killProcesses)

describe.concurrent('a server that starts', { timeout: 90_000 }, () => {
  it('is run with the same flags by npm start, by the command, by the unit file, by the image and in the executable', () => {
    const read = (path: string): string =>
      readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
    const flagsOf = (text: string, line: RegExp): string | undefined => line.exec(text)?.[1]
    const flags = flagsOf(read('dist/main.js'), /^#!\/usr\/bin\/env -S node (--\S+)\n/)
    expect(flags).toMatch(/^--/)
    expect(flagsOf(read('package.json'), /"start": "node (--\S+) dist\/main.js"/)).toBe(flags)
    const binary = read('scripts/build-binary.mjs')
    expect(flagsOf(binary, /^const NODE_FLAGS = \['(--\S+)'\]$/m)).toBe(flags)
    const unit = read('deploy/systemd/channelstream.service')
    expect(flagsOf(unit, /^ExecStart=\S+ (--\S+) dist\/main\.js/m)).toBe(flags)
    expect(
      flagsOf(read('Dockerfile'), /^ENTRYPOINT \["node", "(--\S+)", "dist\/main\.js"\]/m),
    ).toBe(flags)
  })

  it('tells where it listens, and where its pages are', async () => {
    const server = await ServerProcess.start()
    expect(server.stdout).toMatch(
      /^Channelstream \d+\.\d+\.\d+ listens on http:\/\/127\.0\.0\.1:\d+\n/,
    )
    expect(server.stdout).toContain(`${server.url}/admin\n`)
    expect(server.stdout).toContain(`${server.url}/api-explorer\n`)
    expect((await send(server, 'GET /admin/sign_in')).status).toBe(200)
    expect((await send(server, 'GET /api-explorer')).status).toBeLessThan(400)
  })

  it('with default secrets listens on this machine only, and says why', async () => {
    const server = await ServerProcess.start()
    expect(await isReachable(server.port, '127.0.0.1')).toBe(true)
    expect(await isReachable(server.port, '127.0.0.2')).toBe(false)
    await stopped(server)
    expect(server.output).toMatch(/note:? +secret and admin_secret not set/)
    expect(server.output).toContain('127.0.0.1 only')
    expect(server.output).toContain('channelstream make-config')
  })

  it('with its own secrets listens on every address, and does not tell them', async () => {
    const server = await ServerProcess.start({ settings: OWN_SECRETS })
    expect(server.stdout).toContain('(0.0.0.0: every address)')
    expect(await isReachable(server.port, '127.0.0.2')).toBe(true)
    expect((await new Backend(server, 'own').send('POST /info')).status).toBe(200)
    expect((await new Backend(server, 'secret').send('POST /info')).status).toBe(401)
    await stopped(server)
    expect(server.output).not.toContain('not set')
    expect(server.output).not.toContain('own')
  })

  it('tells what else is unsafe', async () => {
    const settings = {
      ...OWN_SECRETS,
      validate_requests: false,
      allow_posting_from: '0.0.0.0',
      trusted_proxies: '0.0.0.0/0',
      allow_cors: '*',
    }
    const { output } = await started({ settings })
    for (const name of ['validate_requests', 'allow_posting_from', 'trusted_proxies', 'allow_cors'])
      expect(output).toMatch(new RegExp(`note:? +${name} `))
    const quiet = await started({ settings: { ...OWN_SECRETS, allow_cors: 'a.example' } })
    expect(quiet.output).not.toMatch(/note/)
  })

  it('takes flags before the environment, and the environment before the file', async () => {
    const files = ini(
      'log_level = error',
      'admin_user = from the file',
      'secret = file',
      'admin_secret = x',
    )
    const server = await ServerProcess.start({
      files: files.files,
      args: [...files.args, '--host', '127.0.0.1'],
      settings: { secret: 'environment', host: '127.0.0.3' },
    })
    expect(server.stdout).toContain('http://127.0.0.1:')
    expect((await new Backend(server, 'environment').send('POST /info')).status).toBe(200)
    const body = 'username=from+the+file&password=x'
    const answer = await send(server, 'POST /admin/sign_in', { body })
    expect(answer.status).toBe(302)
  })

  it('runs on the file that make-config writes, with secrets that nobody knows', async () => {
    const made = await ServerProcess.run({ args: ['make-config', '-o', 'made.ini'] })
    expect(made.exit.code).toBe(0)
    const text = readFileSync(join(made.directory, 'made.ini'), 'utf8')
    const secret = /^secret *= *(\S+)/m.exec(text)?.[1] ?? ''
    expect(secret.length).toBeGreaterThan(20)
    expect(made.output).not.toContain(secret)
    const server = await ServerProcess.start({
      args: ['-i', 'made.ini'],
      files: { 'made.ini': text },
    })
    expect((await new Backend(server, secret).send('POST /info')).status).toBe(200)
    expect((await new Backend(server, 'secret').send('POST /info')).status).toBe(401)
    expect((await stopped(server)).output).not.toContain('not set')
  })
})

describe.concurrent(
  'a server that cannot start says why and ends with 1',
  { timeout: 90_000 },
  () => {
    async function refused(options: StartOptions): Promise<string> {
      const server = await ServerProcess.run(options)
      expect(server.exit.code).toBe(1)
      expect(server.stdout).toBe('')
      expect(server.stderr).not.toMatch(/\bat \S+ \(|node:internal/)
      return server.stderr
    }

    it('told to let others reach it with secrets that everybody knows', async () => {
      const told = await refused({ args: ['--host', '0.0.0.0', '--port', '0'] })
      expect(told).toContain('other machines can reach 0.0.0.0')
      expect(told).toContain('secret and admin_secret still have their default values')
      expect(told).toContain('channelstream make-config')
    })

    it('by a file with faults, of which it tells all at once, with their lines', async () => {
      const told = await refused(
        ini(
          'port = ninety',
          'heartbeat_intervall = 5',
          'allow_posting_from = 127.0.0.1, nowhere',
          'gc_conns_after = -1',
          'this is no line',
          'secrte = TOPSECRET',
          'secret = one',
          'secret = TOPSECRET',
        ),
      )
      expect(told).toContain('Invalid configuration:')
      expect(told).toMatch(/test\.ini:2: .*"ninety"/)
      expect(told).toMatch(/test\.ini:3: .*heartbeat_intervall.*did you mean heartbeat_interval\?/)
      expect(told).toMatch(/test\.ini:4: .*"nowhere"/)
      expect(told).toMatch(/test\.ini:5: .*gc_conns_after.*seconds/)
      expect(told).toMatch(/test\.ini:6: /)
      expect(told).toMatch(/test\.ini:7: .*secrte.*did you mean secret\?/)
      expect(told).not.toContain('TOPSECRET')
    })

    it('on a port that is in use', async () => {
      const first = await ServerProcess.start()
      const told = await refused({ args: ['--port', String(first.port)] })
      expect(told).toMatch(/EADDRINUSE/)
      expect(told).toContain(String(first.port))
      expect(told).toContain('choose one with --port')
    })

    it('with a signature checker that is not there, or is none', async () => {
      const told = await refused({ settings: { signature_checker: './missing.mjs', port: 0 } })
      expect(told).toContain("signature checker './missing.mjs' is not usable")
      const files = { 'none.mjs': 'export const createSignatureChecker = () => 7' }
      const none = await refused({ files, settings: { signature_checker: './none.mjs', port: 0 } })
      expect(none).toContain('createSignatureChecker returned something else')
    })

    it('by a command that there is none of', async () => {
      expect(await refused({ args: ['serv'] })).toContain('Did you mean serve?')
    })
  },
)
