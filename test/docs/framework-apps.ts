/** The apps of docs/frameworks/, taken from the pages and run as written. Only addresses and the secret are replaced. */
import { execFile, spawnSync } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { ensurePackages } from '../helpers/debian-packages.ts'
import { send, until } from '../helpers/http.ts'
import { freePort } from '../helpers/ports.ts'
import { ensurePythonPackages } from '../helpers/python-packages.ts'
import { startServer } from '../helpers/server.ts'
import { ROOT, fencesIn, readPage, sectionOf } from './markdown.ts'
import { at, start } from './running.ts'
import type { Address } from '../helpers/http.ts'
import type { TestServer } from '../helpers/server.ts'

const root = fileURLToPath(ROOT)
const execute = promisify(execFile)

/** Not the default, so that an app which ignores its environment fails. */
export const SECRET = 'a secret of the test'

/** How many connections the server allows each user. */
export const MAX_CONNECTIONS = 3

/** The port of the apps in the documentation. */
const DOCUMENTED_PORT = '3000'

/** What a runtime needs: the environment for its programs, or the reason why it cannot be had here. */
export type Runtime =
  | { readonly env: Readonly<Record<string, string>>; readonly missing?: never }
  | { readonly missing: string; readonly env?: never }

export interface Framework {
  readonly name: string
  readonly page: string
  /** Makes its runtime ready, and puts into the folder of the app what the page says to install there. */
  readonly prepare: (folder: string) => Promise<Runtime>
}

async function preparePython(folder: string): Promise<Runtime> {
  const { bin, missing } = await ensurePythonPackages()
  if (missing !== undefined) return { missing }
  const client = 'channelstream_client.py'
  await copyFile(join(root, 'examples', 'python', client), join(folder, client))
  return { env: { PATH: `${bin}:${process.env['PATH'] ?? ''}`, PYTHONUNBUFFERED: '1' } }
}

async function prepareNode(folder: string): Promise<Runtime> {
  const modules = join(folder, 'node_modules')
  await mkdir(modules)
  await symlink(root, join(modules, 'channelstream'))
  for (const name of ['express', 'cookie-session'])
    await symlink(join(root, 'node_modules', name), join(modules, name))
  return { env: {} }
}

/** Installs packages of Debian, unless there is a program of the same kind from another source. */
async function prepareDebian(check: readonly string[], packages: readonly string[]) {
  const [program = '', ...args] = check
  if (spawnSync(program, args).status === 0) return undefined
  return ensurePackages(...packages).then(
    () => undefined,
    (error: Error) => error.message,
  )
}

async function preparePhp(folder: string): Promise<Runtime> {
  const missing = await prepareDebian(['php', '--version'], ['php-cli'])
  if (missing !== undefined) return { missing }
  // Sessions are files, which are removed with the folder. Errors are shown, as in a PHP without configuration.
  const settings = `session.save_path = "${folder}"\ndisplay_errors = 1\n`
  await writeFile(join(folder, 'settings.ini'), settings)
  return { env: { PHP_INI_SCAN_DIR: `:${folder}` } }
}

async function prepareRuby(): Promise<Runtime> {
  const check = ['ruby', '-e', 'require "sinatra/base"; require "puma"']
  const missing = await prepareDebian(check, ['ruby', 'ruby-sinatra', 'puma'])
  return missing === undefined ? { env: {} } : { missing }
}

/** Go of Debian is large and may be too old, so it is not installed. */
async function prepareGo(folder: string): Promise<Runtime> {
  const version = await execute('go', ['env', 'GOVERSION'], { cwd: folder }).then(
    ({ stdout }) => stdout.trim(),
    () => undefined,
  )
  if (version === undefined) return { missing: 'go is not installed' }
  const [, minor = '0'] = /^go1\.(\d+)/.exec(version) ?? []
  if (Number(minor) < 25) return { missing: `Go 1.25 is needed, and this is ${version}` }
  return { env: {} }
}

export const FRAMEWORKS: readonly Framework[] = [
  { name: 'Django', page: 'django.md', prepare: preparePython },
  { name: 'Flask', page: 'flask.md', prepare: preparePython },
  { name: 'FastAPI', page: 'fastapi.md', prepare: preparePython },
  { name: 'Express', page: 'express.md', prepare: prepareNode },
  { name: 'PHP', page: 'php.md', prepare: preparePhp },
  { name: 'Ruby', page: 'ruby.md', prepare: prepareRuby },
  { name: 'Go', page: 'go.md', prepare: prepareGo },
]

/** Returns the files of a page: a name in backquotes and a colon, and below it the text. */
export function filesOf(page: string): { readonly name: string; readonly text: string }[] {
  return [...page.matchAll(/^`([\w./-]+)`:\n\n```\w+\n(.*?)^```$/gms)].map(
    ([, name = '', text = '']) => ({ name, text }),
  )
}

export interface Site {
  readonly server: TestServer
  readonly app: Address & { readonly url: string }
  readonly stop: () => Promise<void>
}

/** Starts a server and an app for it. Resolves with the reason if the app cannot run here. */
export async function startSite(framework: Framework): Promise<Site | string> {
  const folder = await mkdtemp(join(tmpdir(), 'channelstream-app-'))
  const ends = [() => rm(folder, { recursive: true, force: true })]
  const stop = async (): Promise<void> => {
    for (const end of ends.toReversed()) await end()
  }
  try {
    const { missing, env } = await framework.prepare(folder)
    if (missing !== undefined) {
      await stop()
      return missing
    }
    const server = await startServer({ secret: SECRET, max_connections_per_user: MAX_CONNECTIONS })
    ends.push(() => server.close())
    const app = await startApp(framework, folder, server, env)
    ends.push(app.stop)
    return { server, app, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function startApp(
  { page: name }: Framework,
  folder: string,
  server: Address,
  env: Readonly<Record<string, string>>,
) {
  const page = await readPage(`docs/frameworks/${name}`)
  const port = await freePort()
  const here = (text: string): string =>
    at(`${server.host}:${server.port}`, text.replaceAll(DOCUMENTED_PORT, String(port)))
  for (const { name: file, text } of filesOf(page)) {
    await mkdir(dirname(join(folder, file)), { recursive: true })
    await writeFile(join(folder, file), here(text))
  }
  const [commands = ''] = fencesIn(sectionOf(page, 'Run'), 'sh')
  const [run = '', ...builds] = here(commands).trim().split('\n').toReversed()
  const command = run.replace('CHANNELSTREAM_SECRET=secret', 'exec env')
  if (command === run) throw new Error(`${name} does not pass the secret: ${run}`)
  for (const build of builds.toReversed())
    await execute('sh', ['-eu', '-c', build], {
      cwd: folder,
      env: { ...process.env, ...env },
    })
  const { stop } = await start(['sh', '-c', command], new RegExp(`127\\.0\\.0\\.1:${port}`), {
    cwd: folder,
    env: { ...env, CHANNELSTREAM_SECRET: SECRET },
  })
  const app = { host: '127.0.0.1', port, url: `http://127.0.0.1:${port}`, stop }
  try {
    // Some print their address before they listen.
    await until(() => send(app, 'GET /').then(() => true, isRefused), `${name} to listen`)
  } catch (error) {
    await stop()
    throw error
  }
  return app
}

/** Returns false for a refused connection, and throws any other error. */
function isRefused(error: NodeJS.ErrnoException): false {
  if (error.code === 'ECONNREFUSED') return false
  throw error
}
