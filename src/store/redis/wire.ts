/** Connections to Redis, by way of `@redis/client`: one process, no coming back by itself. */
import { createClient } from '@redis/client'
import { shownEndpoint } from '../../redis-address.ts'
import type { RedisClientType, TypeMapping } from '@redis/client'
import type { Endpoint, HostPort, RedisAddress } from '../../redis-address.ts'
import type { Reply } from './encoding.ts'

type Modules = Record<string, never>
export type Client = RedisClientType<Modules, Modules, Modules, 3, TypeMapping>

/** Sharded pub/sub, which reaches only who listens on a Cluster, is of this version. */
const NEEDED = { major: 7, text: '7.0' }

/** What Redis answers to a user or a password that is not right. */
const REFUSED = /^(NOAUTH|WRONGPASS|NOPERM) /

/** A Redis that cannot be used, and will not be by waiting. */
export class UnfitRedis extends Error {
  override readonly name = 'UnfitRedis'
}

export interface Wire {
  readonly commands: Client
  /**
   * Listens, and nothing else: Redis ends a connection that listens when too much waits for it, and answers to commands
   * may be long.
   */
  readonly announcements: Client
  /** Changes when Redis is started anew, and with the machine. */
  readonly run: string
  readonly where: string
}

/** Finds the process that serves the installation at the moment, and connects to it. */
export async function connectWire(
  address: RedisAddress,
  rootKey: string,
  timeoutMs: number,
): Promise<Wire> {
  let firstError: unknown
  for (const endpoint of address.endpoints)
    try {
      if (address.kind === 'single') return await openWire(endpoint, address, timeoutMs)
      if (address.kind === 'cluster')
        return await followCluster(endpoint, address, { rootKey, timeoutMs })
      return await openWire(await askSentinel(endpoint, address, timeoutMs), address, timeoutMs)
    } catch (error) {
      firstError ??= new Error(`${shownEndpoint(endpoint)}: ${textOf(error)}`, { cause: error })
      if (error instanceof UnfitRedis) throw error
    }
  throw firstError
}

async function openWire(
  endpoint: Endpoint,
  address: RedisAddress,
  timeoutMs: number,
): Promise<Wire> {
  const client = await openClient(endpoint, address, timeoutMs)
  let announcements: Client | undefined
  try {
    const [server, replication] = await Promise.all([
      client.sendCommand(['INFO', 'server']),
      client.sendCommand(['INFO', 'replication']),
    ])
    const facts = `${textIn(server)}\n${textIn(replication)}`
    const fact = (name: string): string =>
      new RegExp(`^${name}:(.*?)\r?$`, 'm').exec(facts)?.[1] ?? ''
    const version = fact('redis_version')
    if (parseInt(version, 10) < NEEDED.major)
      throw new UnfitRedis(`is Redis ${version}; ${NEEDED.text} or newer is needed`)
    if (fact('role') === 'slave') throw new Error('is a replica, to which nothing can be written')
    announcements = await openClient(endpoint, address, timeoutMs)
    if (!textIn(await announcements.sendCommand(['INFO', 'server'])).includes(fact('run_id')))
      throw new Error('is another process than a moment ago')
    return { commands: client, announcements, run: fact('run_id'), where: shownEndpoint(endpoint) }
  } catch (error) {
    announcements?.destroy()
    client.destroy()
    throw error
  }
}

async function openClient(
  endpoint: Endpoint,
  {
    tls,
    username,
    password,
    database,
  }: Pick<RedisAddress, 'tls' | 'username' | 'password' | 'database'>,
  timeoutMs: number,
): Promise<Client> {
  const given = {
    connectTimeout: timeoutMs,
    // Whoever holds the client decides what happens when it ends.
    reconnectStrategy: false as const,
  }
  const client: Client = createClient<Modules, Modules, Modules, 3, TypeMapping>({
    RESP: 3,
    socket:
      'path' in endpoint
        ? { ...given, ...endpoint }
        : tls
          ? { ...given, ...endpoint, tls: true }
          : { ...given, ...endpoint },
    ...(username !== '' && { username }),
    ...(password !== '' && { password }),
    database,
    disableOfflineQueue: true,
    // Of what has not been written yet only, by a timer for each command; silence is noticed by the lease.
    commandOptions: { timeout: 0 },
  })
  // Told by the commands that fail with it, and by `end`.
  client.on('error', () => {})
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`does not answer within ${timeoutMs} ms`))
    }, timeoutMs)
  })
  try {
    await Promise.race([client.connect(), late])
    return client
  } catch (error) {
    if (client.isOpen) client.destroy()
    throw REFUSED.test(textOf(error)) ? new UnfitRedis(textOf(error)) : error
  } finally {
    clearTimeout(timer)
  }
}

async function askSentinel(
  sentinel: Endpoint,
  address: RedisAddress,
  timeoutMs: number,
): Promise<HostPort> {
  // Sentinels have users and databases of their own.
  const client = await openClient(
    sentinel,
    { ...address, username: '', password: '', database: 0 },
    timeoutMs,
  )
  try {
    const found = await client.sendCommand(['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', address.master])
    if (!Array.isArray(found)) throw new Error(`knows no master named ${address.master}`)
    const [host, port] = found as unknown as [string, string]
    return { host, port: Number(port) }
  } finally {
    client.destroy()
  }
}

/** More nodes than this one after the other, and the Cluster does not know itself where the slot is. */
const MAX_HOPS = 5

/** From node to node, until one has the slot. */
async function followCluster(
  seed: Endpoint,
  address: RedisAddress,
  { rootKey, timeoutMs }: { readonly rootKey: string; readonly timeoutMs: number },
): Promise<Wire> {
  let endpoint = seed
  for (let hop = 0; hop < MAX_HOPS; hop++) {
    const client = await openClient(endpoint, address, timeoutMs)
    const moved = await client
      .sendCommand(['EXISTS', rootKey])
      .then(
        () => undefined,
        (error: unknown) => {
          const [, host, port] = /^MOVED \d+ (.*):(\d+)$/.exec(textOf(error)) ?? []
          if (host === undefined) throw error
          return { host: host || ('host' in endpoint ? endpoint.host : ''), port: Number(port) }
        },
      )
      .finally(() => client.destroy())
    if (!moved) return openWire(endpoint, address, timeoutMs)
    endpoint = moved
  }
  throw new Error(`no node says that it has the slot of ${rootKey}`)
}

/** The answer of Redis to one command. */
export const ask = (client: Client, args: readonly string[]): Promise<Reply> =>
  client.sendCommand([...args])

export const textOf = (error: unknown): string =>
  error instanceof Error ? error.message || error.name : String(error)

/** What Redis answers as one text. */
const textIn = (reply: unknown): string => (typeof reply === 'string' ? reply : '')
