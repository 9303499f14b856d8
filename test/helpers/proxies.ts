/** Reverse proxies of Debian on a free loopback port, with a configuration of their own kind. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { filesOfPackage } from './debian-packages.ts'
import { until } from './http.ts'
import { Nginx } from './nginx.ts'
import { freePort } from './ports.ts'
import type { ChildProcess } from 'node:child_process'
import type { Address } from './http.ts'

export interface Proxy extends Address {
  stop(): Promise<void>
}

/** Starts a proxy. `configuration` gets the port to listen on. Resolves when it listens. */
export type StartProxy = (configuration: (port: number) => string) => Promise<Proxy>

interface ProxyProgram {
  readonly path: string
  /** Its arguments, for the path of its configuration. */
  readonly args: (file: string) => readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

export const startNginx: StartProxy = (configuration) => Nginx.start(configuration)

export const startCaddy: StartProxy = async (configuration) => {
  const program = {
    path: join(await filesOfPackage('caddy'), 'usr/bin/caddy'),
    args: (file: string) => ['run', '--adapter', 'caddyfile', '--config', file],
  }
  // Without its own interface, which has a fixed port.
  return startProxy(
    program,
    (port) => `{\n\tadmin off\n\tdefault_bind 127.0.0.1\n}\n${configuration(port)}`,
  )
}

/** What HAProxy needs and a machine with nginx may not have. */
const HAPROXY_LIBRARIES = ['liblua5.3-0', 'libopentracing-c-wrapper0', 'libopentracing1']

export const startHaproxy: StartProxy = async (configuration) => {
  const packages = await Promise.all(HAPROXY_LIBRARIES.map(filesOfPackage))
  const folders = packages.map((folder) => join(folder, 'usr/lib/x86_64-linux-gnu'))
  const program = {
    path: join(await filesOfPackage('haproxy'), 'usr/sbin/haproxy'),
    args: (file: string) => ['-db', '-f', file],
    env: { LD_LIBRARY_PATH: folders.join(':') },
  }
  return startProxy(program, configuration)
}

async function startProxy(
  { path, args, env }: ProxyProgram,
  configuration: (port: number) => string,
): Promise<Proxy> {
  const folder = mkdtempSync(join(tmpdir(), 'channelstream-proxy-'))
  const port = await freePort()
  const file = join(folder, 'configuration')
  writeFileSync(file, configuration(port))
  const child = spawn(path, args(file), { cwd: folder, env: { HOME: folder, ...env } })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text))
  const address = { host: '127.0.0.1', port }
  await until(async () => {
    if (child.exitCode !== null) throw new Error(`${path}: ${output}`)
    return isUp(address)
  }, `${path} to listen`)
  return { ...address, stop: () => stop(child, folder) }
}

const isUp = ({ host, port }: Address): Promise<boolean> =>
  fetch(`http://${host}:${port}/health/live`).then(
    () => true,
    () => false,
  )

async function stop(child: ChildProcess, folder: string): Promise<void> {
  if (child.exitCode === null) {
    child.kill('SIGTERM')
    await once(child, 'exit')
  }
  rmSync(folder, { recursive: true, force: true })
}
