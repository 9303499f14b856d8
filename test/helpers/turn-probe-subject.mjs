/** A server for the test of the probe: does what a line of text asks for, a task and a number, and answers when it is done. */
import { createServer } from 'node:net'
import { Worker } from 'node:worker_threads'

/** Keeps this thread on a processor for so many milliseconds. */
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
  /** Six pieces, each in a turn of its own. */
  spread(ms, done) {
    let left = 6
    const next = () => {
      busy(ms / 6)
      if (--left > 0) setTimeout(next, 20)
      else done()
    }
    setTimeout(next, 20)
  },
  /** Once the answer has been written. */
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
  /** Answers for how many milliseconds this process was on a processor meanwhile. */
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
