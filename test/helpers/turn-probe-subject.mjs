/** A server for the test of the probe. Each line names a task and a number. It runs the task and answers when done. */
import { createServer } from 'node:net'
import { Worker } from 'node:worker_threads'

/** Uses this much CPU time, in milliseconds. */
function busy(ms) {
  const began = process.cpuUsage()
  for (;;) {
    const { user, system } = process.cpuUsage(began)
    if ((user + system) / 1000 >= ms) return
  }
}

const TASKS = {
  nothing: (_ms, done) => done(),
  socket(ms, done) {
    busy(ms)
    done()
  },
  async microtasks(ms, done) {
    for (let n = 0; n < ms; n++) {
      await undefined
      busy(1)
    }
    done()
  },
  ticks(ms, done) {
    let left = ms
    const next = () => {
      busy(1)
      if (--left > 0) process.nextTick(next)
      else done()
    }
    next()
  },
  timer: (ms, done) =>
    setTimeout(() => {
      busy(ms)
      done()
    }, 20),
  immediate: (ms, done) =>
    setImmediate(() => {
      busy(ms)
      done()
    }),
  /** In one turn: a socket's callback, then two immediates. */
  pieces(ms, done) {
    busy(ms / 3)
    setImmediate(() => busy(ms / 3))
    setImmediate(() => {
      busy(ms / 3)
      done()
    })
  },
  /** Six pieces, each in its own turn. */
  spread(ms, done) {
    let left = 6
    const next = () => {
      busy(ms / 6)
      if (--left > 0) setTimeout(next, 20)
      else done()
    }
    setTimeout(next, 20)
  },
  /** Six immediates, each in its own turn: what is set by an immediate runs after the next poll. */
  chain(ms, done) {
    let left = 6
    const next = () => {
      busy(ms / 6)
      if (--left > 0) setImmediate(next)
      else done()
    }
    setImmediate(next)
  },
  /** After the answer has been written. */
  behind(ms, done) {
    done()
    setImmediate(() => setImmediate(() => busy(ms)))
  },
  garbage(ms, done) {
    const began = process.cpuUsage()
    let kept = []
    for (let used = 0; used < ms;) {
      kept.push(Array.from({ length: 100 }, () => ({})))
      if (kept.length === 3000) kept = []
      const { user, system } = process.cpuUsage(began)
      used = (user + system) / 1000
    }
    done()
  },
  sleep(ms, done) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
    done()
  },
  worker(ms, done) {
    const work = `const end = performance.now() + ${ms}; while (performance.now() < end);`
    new Worker(work, { eval: true }).once('exit', () => done())
  },
  /** Waits, then answers with the CPU time of this process in the meantime, in milliseconds. */
  rest(ms, done) {
    const began = process.cpuUsage()
    setTimeout(() => {
      const { user, system } = process.cpuUsage(began)
      done((user + system) / 1000)
    }, ms)
  },
}

const server = createServer((socket) => {
  socket.on('error', () => socket.destroy())
  socket.on('data', (line) => {
    const [task, ms] = line.toString().split(' ')
    TASKS[task](Number(ms), (answer = 'done') => socket.end(String(answer)))
  })
})
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`listens on http://127.0.0.1:${server.address().port}\n`)
})
