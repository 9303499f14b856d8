/** This server on a separate Redis: one server, two that share the load, and two of which one publishes. */
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from '@redis/client'
import { freePort, startServer } from '../lib/processes.mjs'
import { missing as missingServer, running, startChannelstream } from './channelstream.mjs'

const REDIS = '/usr/bin/redis-server'

const missing = () =>
  existsSync(REDIS)
    ? missingServer()
    : 'install it: sudo apt-get install -y --no-install-recommends redis-server'

/**
 * @param {import('./peer.mjs').Place} place
 * @returns {Promise<{
 *   url: string,
 *   pid: number,
 *   figure: (section: string, name: string) => Promise<number>,  a figure of INFO
 *   calls: (command: string) => Promise<number>,
 *   cpuUs: () => Promise<number>,
 *   stop: () => Promise<void>,
 * }>}
 */
export async function startRedis({ core, besides = [] }) {
  const port = await freePort()
  const directory = await mkdtemp(join(tmpdir(), 'channelstream-bench-redis-'))
  const flags = ['--port', port, '--bind', '127.0.0.1', '--dir', directory, '--save', '']
  const server = await startServer([REDIS, ...flags.map(String)], {
    core: besides[0] ?? core,
    ready: /Ready to accept connections/,
  })
  const read = async (section, pattern) =>
    Number(new RegExp(`^${pattern}`, 'm').exec(await client.info(section))?.[1] ?? 0)
  const client = await createClient({ socket: { host: '127.0.0.1', port } }).connect()
  return {
    url: `redis://127.0.0.1:${port}`,
    pid: server.pid,
    figure: (section, name) => read(section, `${name}:([\\d.]+)`),
    calls: (command) => read('commandstats', `cmdstat_${command}:calls=(\\d+)`),
    cpuUs: async () =>
      1e6 * ((await read('cpu', 'used_cpu_user:(.*)')) + (await read('cpu', 'used_cpu_sys:(.*)'))),
    async stop() {
      client.destroy()
      await server.stop()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

/**
 * Starts servers on one Redis. The first runs on the core for servers, the others on spare cores. When there are no
 * more spare cores, they share the core for servers, or with `spread` that of Redis.
 *
 * @param {import('./peer.mjs').Place} place
 * @param {number} count
 * @param {{ spread?: boolean }} [options]
 */
export async function startOnRedis(place, count, { spread = false } = {}) {
  const redis = await startRedis(place)
  const [shared = place.core, ...free] = place.besides ?? []
  const cores = [place.core, ...free, ...Array(count).fill(spread ? shared : place.core)]
  const servers = []
  const stop = async () => {
    await Promise.all(servers.map((server) => server.stop()))
    await redis.stop()
  }
  try {
    for (const core of cores.slice(0, count))
      servers.push(await startChannelstream({ ...place, core }, { 'redis-url': redis.url }))
  } catch (error) {
    await stop()
    throw error
  }
  return { redis, servers, stop }
}

const portsOf = (servers) => servers.map(({ port }) => port).join(',')

/** @param {{ redis: any, servers: any[], stop: () => Promise<void> }} started */
function asPeer({ redis, servers, stop }, place, { publishAt = servers, listenAt = servers } = {}) {
  const pids = servers.map(({ pid }) => pid)
  return {
    ...running({ port: portsOf(publishAt), pids }, place.load),
    listenPort: portsOf(listenAt),
    beside: [redis.pid],
    redisBytes: () => redis.figure('memory', 'used_memory'),
    stop,
  }
}

const alone = {
  name: 'redis',
  about: 'this server, on a Redis',
  missing,
  start: async (place) => asPeer(await startOnRedis(place, 1), place),
}

const two = {
  name: 'redis-two',
  about: 'two servers on one Redis; publishers and subscribers are spread over both',
  missing,
  start: async (place) => asPeer(await startOnRedis(place, 2), place),
}

const across = {
  name: 'redis-across',
  about: 'two servers on one Redis; publishers on one, subscribers on the other',
  missing,
  async start(place) {
    const started = await startOnRedis(place, 2, { spread: true })
    const [publisher, listener] = started.servers
    return asPeer(started, place, { publishAt: [publisher], listenAt: [listener] })
  },
}

export const ON_REDIS = [alone, two, across]
