/** The connections of examples/python/channelstream_client.py, between threads and processes. */
import net from 'node:net'
import { afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { json, listen, startFake } from '../backend/fakes.ts'
import { INSTALL_TIMEOUT_MS, setup } from '../helpers/debian-packages.ts'
import { Backend, until } from '../helpers/http.ts'
import { startServer } from '../helpers/server.ts'
import { Listener, closeClients } from '../helpers/websocket.ts'
import { runPython } from './client-driver.ts'

beforeAll(setup, INSTALL_TIMEOUT_MS)
afterEach(closeClients)

/** A server behind a proxy that counts connections, with a member of the channel lobby. */
async function start() {
  const server = await startServer()
  onTestFinished(() => server.close())
  const seen = { connections: 0, open: 0 }
  const { port } = await listen((socket) => {
    seen.connections++
    seen.open++
    const line = net.connect(server.port, server.host)
    socket.pipe(line).pipe(socket)
    line.on('error', () => {}) // a close follows
    socket.on('close', () => {
      seen.open--
      line.destroy()
    })
    line.on('close', () => socket.destroy())
  })
  const connId = await new Backend(server).connect('eve', ['lobby'])
  const eve = await Listener.open(server, connId)
  const heard = (): unknown[] => eve.events.map(({ message }) => message?.['text'])
  return { url: `http://127.0.0.1:${port}`, seen, heard }
}

const BEGIN = `
import json, os, sys, threading, time, warnings
from concurrent.futures import ThreadPoolExecutor
from channelstream_client import Channelstream, Unavailable

def post(client, text):
    [answer] = client.message({"user": "bob", "channel": "lobby", "message": {"text": text}})
    assert answer["message"] == {"text": text}, (answer, text)
`

const numbered = (names: readonly string[], count: number): string[] =>
  names.flatMap((name) => Array.from({ length: count }, (_, n) => `${name} ${n}`)).toSorted()

describe('threads', () => {
  it.each([5, 32])('share a client, and at most %i connections', async (limit) => {
    const { url, seen, heard } = await start()
    const script = `${BEGIN}
with Channelstream(sys.argv[1], "secret", max_connections=${limit}) as client:
    begin = threading.Barrier(20)
    def work(name):
        begin.wait()
        for n in range(25):
            post(client, f"{name} {n}")
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(work, range(20)))
print("null")
`
    await runPython(script, [url])
    const names = Array.from({ length: 20 }, (_, n) => String(n))
    await until(() => heard().length >= 500, 'every message')
    expect(heard().toSorted()).toEqual(numbered(names, 25))
    expect(seen.connections).toBeLessThanOrEqual(Math.min(limit, 20))
    expect(seen.connections).toBeGreaterThan(1)
  })

  it('wait for a connection as long as a call may take', async () => {
    const fake = await startFake(() => {})
    const script = `${BEGIN}
with Channelstream(sys.argv[1], "secret", max_connections=1, retries=0, timeout=3) as client:
    first = threading.Thread(target=lambda: post(client, "a"))
    threading.excepthook = lambda failed: None
    first.start()
    while client._pool()._busy == 0:
        time.sleep(0.01)
    begun = time.monotonic()
    try:
        client.with_options(timeout=0.3).health()
    except Unavailable as error:
        print(json.dumps([error.code, round(time.monotonic() - begun, 1)]))
    first.join()
    assert client._pool()._busy == 0
`
    const [code, seconds] = (await runPython(script, [fake.url])) as [string, number]
    expect(code).toBe('TIMEOUT')
    expect(seconds).toBeGreaterThanOrEqual(0.3)
    expect(seconds).toBeLessThan(2)
    expect(fake.requests.length).toBe(1)
  })
})

describe('processes that are forked', () => {
  it('do not share connections with their parent, which keeps its own', async () => {
    const { url, seen, heard } = await start()
    const script = `${BEGIN}
warnings.simplefilter("ignore", DeprecationWarning)  # of forks with threads, which is what is tested
client = Channelstream(sys.argv[1], "secret")
post(client, "before")
# A thread of the parent is about to use the connections. The children do not have it, but its lock.
held, done = threading.Event(), threading.Event()
def hold():
    with client._pool()._changed:
        held.set()
        done.wait()
holder = threading.Thread(target=hold)
holder.start()
held.wait()
children = []
for name in ("a", "b", "c"):
    child = os.fork()
    if child == 0:
        try:
            for n in range(10):
                post(client, f"{name} {n}")
            client.close()
            os._exit(0)
        finally:
            os._exit(1)
    children.append(child)
done.set()
holder.join()
for n in range(10):
    post(client, f"p {n}")
codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
post(client, "after")
client.close()
print(json.dumps(codes))
`
    expect(await runPython(script, [url])).toEqual([0, 0, 0])
    await until(() => heard().length >= 42, 'every message')
    const expected = ['after', 'before', ...numbered(['a', 'b', 'c', 'p'], 10)]
    expect(heard().toSorted()).toEqual(expected.toSorted())
    expect(seen.connections).toBe(4)
    await until(() => seen.open === 0, 'the connections to be closed')
  })
})

describe('a client in Python', () => {
  it('closes its connections, and opens new ones with the next call', async () => {
    const { url, seen } = await start()
    const script = `${BEGIN}
client = Channelstream(sys.argv[1], "secret")
post(client, "a")
other = client.with_options(retries=0, timeout=5)
post(other, "b")
client.close()
client.close()
post(client, "c")
client.close()
print("null")
`
    await runPython(script, [url])
    expect(seen.connections).toBe(2)
    await until(() => seen.open === 0, 'the connections to be closed')
  })

  it('closes a connection that is in use when its call is done', async () => {
    let isClosed = false
    const fake = await startFake((socket) => {
      socket.once('close', () => (isClosed = true))
      setTimeout(() => socket.write(json({ status: 'ok' })), 200)
    })
    const script = `${BEGIN}
client = Channelstream(sys.argv[1], "secret")
with ThreadPoolExecutor(1) as pool:
    call = pool.submit(client.health)
    while client._pool()._busy == 0:
        time.sleep(0.01)
    client.close()
    answer = call.result()
print(json.dumps(answer), flush=True)
sys.stdout.close()
time.sleep(0.2)
`
    expect(await runPython(script, [fake.url])).toEqual({ status: 'ok' })
    await until(() => isClosed, 'the connection to be closed')
  })

  it('can be used after a call that was interrupted', async () => {
    const fake = await startFake((socket, _request, nth) => {
      if (nth > 1) socket.write(json({ status: 'ok' }))
    })
    const script = `${BEGIN}
import signal

class Interrupted(BaseException):
    pass

def interrupt(*_):
    raise Interrupted

signal.signal(signal.SIGALRM, interrupt)
with Channelstream(sys.argv[1], "secret", max_connections=1) as client:
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    try:
        client.health()
    except Interrupted:
        print(json.dumps(client.health()))
`
    expect(await runPython(script, [fake.url])).toEqual({ status: 'ok' })
    expect([fake.requests.length, fake.connections]).toEqual([2, 2])
  })
})
