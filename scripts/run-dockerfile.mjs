/**
 * Runs the steps of the `Dockerfile` one by one, without Docker: `node scripts/run-dockerfile.mjs <folder>`.
 *
 * Each stage is a folder in the given one, and the last line of the output says how the image would be started, as JSON.
 * `FROM` starts with an empty folder: programs are those of this machine. Knows only what the file uses, and throws at
 * anything else.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, readFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../', import.meta.url))
const [target] = process.argv.slice(2)
if (!target) throw new Error('usage: node scripts/run-dockerfile.mjs <folder>')

const isInContext = await readIgnored(join(ROOT, '.dockerignore'))
const stages = new Map()
let stage

for (const { word, rest } of instructionsOf(await readFile(join(ROOT, 'Dockerfile'), 'utf8'))) {
  console.log(`${word} ${rest}`)
  await run(word, rest)
}
const { root, workdir, env, user, command, check } = stage
console.log(JSON.stringify({ root, workdir: inside(workdir), env, user, command, check }))

/** @param {string} word @param {string} rest */
async function run(word, rest) {
  switch (word) {
    case 'ARG':
    case 'EXPOSE':
    case 'VOLUME':
      return
    case 'FROM':
      return open(rest)
    case 'WORKDIR':
      stage.workdir = rest
      await mkdir(inside(rest), { recursive: true })
      return
    case 'COPY':
      return copy(rest.split(' '))
    case 'RUN':
      return shell(rest)
    case 'ENV':
      for (const [, key, value] of rest.matchAll(/(\w+)=(\S+)/g)) stage.env[key] = value
      return
    case 'USER':
      stage.user = rest
      return
    case 'HEALTHCHECK':
      stage.check = JSON.parse(rest.slice(rest.indexOf('[')))
      return
    case 'ENTRYPOINT':
      stage.command = JSON.parse(rest)
      return
    default:
      throw new Error(`This script does not know ${word}.`)
  }
}

/** @param {string} text */
function instructionsOf(text) {
  const lines = text
    .replaceAll(/^#.*\n/gm, '')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
  return lines
    .filter((line) => line.trim() !== '')
    .map((line) => ({ word: line.split(' ', 1)[0], rest: line.slice(line.indexOf(' ') + 1) }))
}

/** @param {string} rest */
async function open(rest) {
  const name = / AS (\w+)$/.exec(rest)?.[1] ?? 'image'
  stage = { root: join(target, name), workdir: '/', env: {}, user: 'root' }
  stages.set(name, stage)
  await mkdir(stage.root, { recursive: true })
}

/** @param {string} path */
function inside(path) {
  return join(stage.root, path.startsWith('/') ? path : join(stage.workdir, path))
}

/** @param {readonly string[]} words */
async function copy(words) {
  const from = /^--from=(\w+)$/.exec(words[0])?.[1]
  const paths = words.filter((word) => !word.startsWith('--'))
  const to = paths.at(-1)
  const folder = from ? stages.get(from).root : ROOT
  for (const path of paths.slice(0, -1)) {
    const source = join(folder, path)
    const name = to.endsWith('/') ? join(to, path.split('/').at(-1)) : to
    const filter = (at) => from !== undefined || isInContext(relative(ROOT, at))
    await cp(source, inside(name), { recursive: true, filter })
  }
}

/** @param {string} command */
async function shell(command) {
  const env = {
    PATH: process.env.PATH,
    HOME: target,
    npm_config_cache: process.env.npm_config_cache ?? join(process.env.HOME ?? target, '.npm'),
    ...stage.env,
  }
  const child = spawn('sh', ['-ec', command], {
    cwd: inside('.'),
    env,
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`${command}: status ${code}`)
}

/**
 * A file that ignores everything and lists what it does not.
 *
 * @param {string} path
 */
async function readIgnored(path) {
  const lines = (await readFile(path, 'utf8')).split('\n').filter((line) => /^[^#]/.test(line))
  if (lines[0] !== '*' || !lines.slice(1).every((line) => /^![\w./-]+$/.test(line)))
    throw new Error('This script expects .dockerignore to ignore everything but some paths.')
  const kept = lines.slice(1).map((line) => line.slice(1))
  return (name) =>
    name === '' ||
    kept.some((one) => name === one || name.startsWith(`${one}/`) || one.startsWith(`${name}/`))
}
