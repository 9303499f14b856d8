/** Opens connections to Redis with `@redis/client`: to one process, without automatic reconnects. */
import { RedisClient } from '@redis/client'
import { reasonOf } from '../../lib/reason.ts'
import { discard, isRefusal } from '../../lib/redis-client.ts'
import { shownEndpoint } from '../../lib/redis-url.ts'
import { withTimeout } from '../../lib/timeout.ts'
import type { RedisClientType, TypeMapping } from '@redis/client'
import type { Endpoint, HostPort, RedisAddress } from '../../lib/redis-url.ts'
import type { Reply } from './encoding.ts'

type Modules = Record<string, never>
export type Client = RedisClientType<Modules, Modules, Modules, 3, TypeMapping>

/**
 * Creates clients of one class. `createClient` builds a new class with a method for each command whenever the options
 * differ from the previous ones, so for each connection. That blocks the main thread for tens of milliseconds.
 */
const newClient = RedisClient.factory<Modules, Modules, Modules, 3>({ RESP: 3 })

/** The first version with sharded pub/sub, which on a Cluster reaches only subscribers. */
const NEEDED = { major: 7, text: '7.0' }

/** Redis cannot be used, and waiting does not help. */
export class UnfitRedis extends Error {
  override readonly name = 'UnfitRedis'
}

export interface ClientPair {
  readonly commands: Client
  /**
   * Used for subscriptions only. Redis closes a subscribed connection if its output buffer grows too large, and replies
   * to commands may be long.
   */
  readonly subscriber: Client
  /** The run id of Redis. Changes with a restart, and on another machine. */
  readonly run: string
  readonly where: string
}

/** How long the steps of one attempt may take together. */
interface Limit {
  readonly ms: number
  /** By `performance.now()`. */
  readonly until: number
}

/** Finds the process that serves the installation now, and connects to it. Tries each endpoint for `timeoutMs`. */
export async function connectClients(
  address: RedisAddress,
  rootKey: string,
  timeoutMs: number,
): Promise<ClientPair> {
  let firstError: unknown
  for (const endpoint of address.endpoints)
    try {
      const limit = { ms: Math.ceil(timeoutMs), until: performance.now() + timeoutMs }
      if (address.kind === 'single') return await openClients(endpoint, address, limit)
      if (address.kind === 'cluster')
        return await followCluster(endpoint, address, { rootKey, limit })
      return await openClients(await askSentinel(endpoint, address, limit), address, limit)
    } catch (error) {
      firstError ??= new Error(`${shownEndpoint(endpoint)}: ${reasonOf(error)}`, { cause: error })
      if (error instanceof UnfitRedis) throw error
    }
  throw firstError
}

async function openClients(
  endpoint: Endpoint,
  address: RedisAddress,
  limit: Limit,
): Promise<ClientPair> {
  const client = await openClient(endpoint, address, limit)
  let subscriber: Client | undefined
  try {
    const [server, replication] = await withLimit(
      limit,
      Promise.all([
        client.sendCommand(['INFO', 'server']),
        client.sendCommand(['INFO', 'replication']),
      ]),
    )
    const facts = `${textIn(server)}\n${textIn(replication)}`
    const fact = (name: string): string =>
      new RegExp(`^${name}:(.*?)\r?$`, 'm').exec(facts)?.[1] ?? ''
    const version = fact('redis_version')
    if (parseInt(version, 10) < NEEDED.major)
      throw new UnfitRedis(`is Redis ${version}; ${NEEDED.text} or newer is needed`)
    if (fact('role') === 'slave') throw new Error('is a replica, to which nothing can be written')
    subscriber = await openClient(endpoint, address, limit)
    const again = await withLimit(limit, subscriber.sendCommand(['INFO', 'server']))
    if (!textIn(again).includes(fact('run_id')))
      throw new Error('is another process than a moment ago')
    return { commands: client, subscriber, run: fact('run_id'), where: shownEndpoint(endpoint) }
  } catch (error) {
    if (subscriber) discard(subscriber)
    discard(client)
    throw error
  }
}

async function openClient(
  endpoint: Endpoint,
  {
    tls,
    certificates,
    username,
    password,
    database,
  }: Pick<RedisAddress, 'tls' | 'certificates' | 'username' | 'password' | 'database'>,
  limit: Limit,
): Promise<Client> {
  const given = {
    connectTimeout: limit.ms,
    // The owner of the client decides what happens when it ends.
    reconnectStrategy: false as const,
  }
  const client: Client = newClient<TypeMapping>({
    socket:
      'path' in endpoint
        ? { ...given, ...endpoint }
        : tls
          ? { ...given, ...endpoint, ...certificates, tls: true }
          : { ...given, ...endpoint },
    ...(username !== '' && { username }),
    ...(password !== '' && { password }),
    database,
    disableOfflineQueue: true,
    // The timeout covers only commands that are not written yet, with a timer for each. The lease notices a silent
    // Redis.
    commandOptions: { timeout: 0 },
  })
  // Commands reject with the error, and `end` follows.
  client.on('error', () => {})
  try {
    await withLimit(limit, client.connect())
    return client
  } catch (error) {
    discard(client)
    throw isRefusal(error) ? new UnfitRedis(reasonOf(error)) : error
  }
}

const NOBODY = { username: '', password: '' }

async function askSentinel(
  sentinel: Endpoint,
  address: RedisAddress,
  limit: Limit,
): Promise<HostPort> {
  // Sentinels have separate users and databases.
  const client = await openClient(
    sentinel,
    { ...address, ...(address.sentinelLogin ?? NOBODY), database: 0 },
    limit,
  )
  try {
    const found = await withLimit(
      limit,
      client.sendCommand(['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', address.master]),
    )
    if (!Array.isArray(found)) throw new Error(`knows no master named ${address.master}`)
    const [host, port] = found as unknown as [string, string]
    return { host, port: Number(port) }
  } finally {
    discard(client)
  }
}

/** After more redirects than this, the Cluster itself does not know where the slot is. */
const MAX_HOPS = 5

/** Follows redirects from node to node, until one serves the slot. */
async function followCluster(
  seed: Endpoint,
  address: RedisAddress,
  { rootKey, limit }: { readonly rootKey: string; readonly limit: Limit },
): Promise<ClientPair> {
  let endpoint = seed
  for (let hop = 0; hop < MAX_HOPS; hop++) {
    const client = await openClient(endpoint, address, limit)
    const moved = await withLimit(limit, client.sendCommand(['EXISTS', rootKey]))
      .then(
        () => undefined,
        (error: unknown) => {
          const [, host, port] = /^MOVED \d+ (.*):(\d+)$/.exec(reasonOf(error)) ?? []
          if (host === undefined) throw error
          return { host: host || ('host' in endpoint ? endpoint.host : ''), port: Number(port) }
        },
      )
      .finally(() => discard(client))
    if (!moved) return openClients(endpoint, address, limit)
    endpoint = moved
  }
  throw new Error(`no node says that it has the slot of ${rootKey}`)
}

/** Rejects if the work takes longer than the limit. */
const withLimit = <Value>({ ms, until }: Limit, work: Promise<Value>): Promise<Value> =>
  withTimeout(work, until - performance.now(), () => new Error(`does not answer within ${ms} ms`))

/** Resolves with the reply of Redis to one command. */
export const ask = (client: Client, args: readonly string[]): Promise<Reply> =>
  client.sendCommand([...args])

/** The text of a reply; empty if it is not a text. */
const textIn = (reply: unknown): string => (typeof reply === 'string' ? reply : '')
