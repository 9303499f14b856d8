/**
 * `npm run demo`: a Channelstream server and the backends of the demos, each a process of its own, on loopback only.
 *
 * `-- --python` takes the notifications backend that is written in Python. `PORT` is that of the pages (6543),
 * `NOTIFICATIONS_PORT` (6544) and `CHANNELSTREAM_PORT` (6545) those of the others; 0 is any free one.
 */
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'

const { PORT = '6543', NOTIFICATIONS_PORT = '6544', CHANNELSTREAM_PORT = '6545' } = process.env
const isPython = process.argv.includes('--python')
const secret = randomUUID()
const password = randomUUID().slice(0, 8)
const children = new Set()
let isEnding = false

/** Ends everything, and this process when all are gone. */
function end(exitCode) {
  if (isEnding) return
  isEnding = true
  process.exitCode = exitCode
  for (const child of children) child.kill('SIGTERM')
}

function fail(text) {
  console.error(text)
  end(1)
}

/** Starts a program; resolves with the first address that it prints. */
function start(name, [program, ...args], env) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    children.add(child)
    let printed = ''
    child.stdout.on('data', (text) => {
      printed += text
      const [address] = /http:\/\/[\w.:]+(?=\s)/.exec(printed) ?? []
      if (address) resolve(address)
    })
    child.on('error', (error) => reject(new Error(`${name} cannot be started: ${error.message}`)))
    child.on('close', () => {
      children.delete(child)
      const text = `${name} has ended.`
      if (!isEnding) fail(text)
      reject(new Error(text))
    })
  })
}

/** Rejects if somebody else listens there, which is better told here than by three programs. */
function checkFree(variable, port) {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.on('error', ({ code }) =>
      reject(
        new Error(
          code === 'EADDRINUSE'
            ? `Port ${port} is taken. Choose another: ${variable}=0 npm run demo`
            : `${variable}=${port} cannot be used: ${code}`,
        ),
      ),
    )
    probe.listen({ port: Number(port), host: '127.0.0.1' }, () => probe.close(resolve))
  })
}

const file = (path) => fileURLToPath(new URL(path, import.meta.url))

async function run() {
  await checkFree('PORT', PORT)
  await checkFree('NOTIFICATIONS_PORT', NOTIFICATIONS_PORT)
  await checkFree('CHANNELSTREAM_PORT', CHANNELSTREAM_PORT)
  const server = await start('The server', [process.execPath, file('../dist/main.js')], {
    CHANNELSTREAM_HOST: '127.0.0.1',
    CHANNELSTREAM_PORT,
    CHANNELSTREAM_SECRET: secret,
    CHANNELSTREAM_ADMIN_SECRET: password,
    CHANNELSTREAM_LOG_LEVEL: 'warn',
  })
  const shared = { CHANNELSTREAM_URL: server, CHANNELSTREAM_SECRET: secret }
  const notifications = await start(
    'The notifications backend',
    isPython
      ? ['python3', file('notifications/server.py')]
      : [process.execPath, file('notifications/server.mjs')],
    { ...shared, PORT: NOTIFICATIONS_PORT },
  )
  const pages = await start('The chat backend', [process.execPath, file('chat/server.mjs')], {
    ...shared,
    PORT,
    NOTIFICATIONS_URL: notifications,
  })
  console.log(`Open ${pages} in two browsers. Ctrl-C ends it.

  chat           ${pages}/chat/
  notifications  ${notifications}${isPython ? ' (in Python)' : ''}
  server         ${server}
  admin          ${server}/admin (user admin, password ${password})
  API explorer   ${server}/api-explorer (secret ${secret})`)
}

for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => end(0))
run().catch((error) => isEnding || fail(error.message))
