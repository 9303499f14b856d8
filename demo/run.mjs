/**
 * `npm run demo`: starts a server and the backends of the demos, each in its own process, on loopback only.
 *
 * `-- --python` uses the notifications backend in Python. `PORT` (6543) is the port of the pages, `NOTIFICATIONS_PORT`
 * (6544) that of the notifications, and `CHANNELSTREAM_PORT` (6545) that of the server. 0 means any free port.
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

/** Stops all child processes. This process exits when they have ended. */
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

/** Starts a program. Resolves with the first URL that it prints. */
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

/** Rejects if the port is in use. Checked here, since this error is clearer than that of the program. */
function checkFree(variable, port) {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.on('error', ({ code }) =>
      reject(
        new Error(
          code === 'EADDRINUSE'
            ? `Port ${port} is already in use. Choose another: ${variable}=0 npm run demo`
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
  console.log(`Open ${pages} in two browsers. Press Ctrl-C to stop.

  chat           ${pages}/chat/
  notifications  ${notifications}${isPython ? ' (in Python)' : ''}
  server         ${server}
  admin          ${server}/admin (user admin, password ${password})
  API explorer   ${server}/api-explorer (secret ${secret})`)
}

for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => end(0))
run().catch((error) => isEnding || fail(error.message))
