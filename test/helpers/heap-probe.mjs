/**
 * Says how much of the heap of a process is in use after a full garbage collection. Loaded into a server by `node --import`,
 * with `--expose-gc`; asked through the channel of the process.
 */
process.on('message', ({ heapProbe, id }) => {
  if (heapProbe === undefined) return
  globalThis.gc()
  // What finalizers let go of is collected by the second one.
  setImmediate(() => {
    globalThis.gc()
    process.send({ heapProbe, id, bytes: process.memoryUsage().heapUsed })
  })
})
process.channel?.unref()
