/** Redis moves to other machines: a failover by Sentinel, and a slot that moves within a Cluster. */
import { afterAll, describe, expect, it } from 'vitest'
import { endAll } from '../helpers/ending.ts'
import { ReturningListener } from '../helpers/event-stream.ts'
import { Backend, until } from '../helpers/http.ts'
import { ServerProcess } from '../helpers/process.ts'
import { freshPrefix } from '../helpers/redis-store.ts'
import { RedisServer } from '../helpers/redis.ts'
import { Listener } from '../helpers/websocket.ts'
import type { RedisClient } from '../helpers/redis.ts'

const PATIENCE_MS = 30_000

afterAll(endAll)

async function command(redis: RedisServer, ...args: string[]): Promise<unknown> {
  const client: RedisClient = await redis.client()
  try {
    return await client.sendCommand(args)
  } finally {
    client.destroy()
  }
}

interface Scene {
  readonly backend: Backend
  readonly clients: readonly Listener[]
  /** It may come back meanwhile, since its streams end by themselves. */
  readonly returning: ReturningListener
}

/** Two servers with a client each, and one that comes back by itself. */
async function meet(redis_url: string): Promise<Scene> {
  const settings = {
    redis_url,
    redis_prefix: freshPrefix(),
    redis_timeout: 2,
    channel_frames: 1000,
  }
  const servers = [await ServerProcess.start({ settings }), await ServerProcess.start({ settings })]
  const backend = new Backend(servers[0] as ServerProcess)
  const clients = await Promise.all(
    servers.map(async (server, at) =>
      Listener.open(server, await backend.connect(`user ${at}`, ['room'])),
    ),
  )
  const returning = await ReturningListener.open(
    servers[1] as ServerProcess,
    await backend.connect('returning', ['room']),
  )
  return { backend, clients, returning }
}

/** Posts messages, and repeats each until it is acknowledged. */
async function post({ backend }: Scene, texts: readonly string[]): Promise<void> {
  for (const text of texts) {
    const json = [{ user: 'backend', channel: 'room', message: { text } }]
    const isPosted = async () => (await backend.send('POST /message', { json })).status === 200
    await until(isPosted, `the message ${text}`, PATIENCE_MS)
  }
}

const texts = (word: string): string[] => Array.from({ length: 20 }, (_, at) => `${word} ${at}`)

/** Expects that earlier and new messages reach every client once and in order, on the sockets that were open. */
async function expectNothingLost(scene: Awaited<ReturnType<typeof meet>>): Promise<void> {
  await post(scene, texts('after'))
  for (const client of scene.clients) {
    await client.heard('after 19', PATIENCE_MS)
    expect(client.texts).toEqual([...texts('before'), ...texts('after')])
    expect(client.of('gap')).toEqual([])
    expect(client.ending).toBeUndefined()
  }
  const { returning } = scene
  await returning.heard('after 19', PATIENCE_MS)
  expect(returning.texts).toEqual([...texts('before'), ...texts('after')])
  expect(returning.of('gap')).toEqual([])
  returning.destroy()
}

describe.concurrent('a master that is replaced', () => {
  it('is found by the Sentinels', { timeout: 90_000 }, async () => {
    const master = await RedisServer.start({})
    const replica = await RedisServer.start({ replicaof: `127.0.0.1 ${master.port}` })
    const sentinel = await RedisServer.startSentinel()
    await command(sentinel, 'SENTINEL', 'MONITOR', 'main', '127.0.0.1', String(master.port), '1')
    for (const [name, value] of [
      ['down-after-milliseconds', '1000'],
      ['failover-timeout', '5000'],
    ])
      await command(sentinel, 'SENTINEL', 'SET', 'main', name ?? '', value ?? '')
    const isReplicated = async () =>
      String(await command(replica, 'INFO', 'replication')).includes('master_link_status:up')
    await until(isReplicated, 'the replica to follow', PATIENCE_MS)
    const knowsReplica = async () =>
      String(await command(sentinel, 'INFO', 'sentinel')).includes('slaves=1')
    await until(knowsReplica, 'the Sentinel to know the replica', PATIENCE_MS)

    const scene = await meet(`redis+sentinel://127.0.0.1:${sentinel.port}/main`)
    await post(scene, texts('before'))
    await command(master, 'WAIT', '1', '5000')
    await master.halt()
    await expectNothingLost(scene)
  })
})

describe.concurrent('a slot of a Cluster', () => {
  it('is followed to another node', { timeout: 90_000 }, async () => {
    const cluster = { 'cluster-enabled': 'yes' }
    const [one, two] = [await RedisServer.start(cluster), await RedisServer.start(cluster)]
    await command(one, 'CLUSTER', 'ADDSLOTSRANGE', '0', '8191')
    await command(two, 'CLUSTER', 'ADDSLOTSRANGE', '8192', '16383')
    await command(one, 'CLUSTER', 'MEET', '127.0.0.1', String(two.port))
    const isUp = async (redis: RedisServer) => {
      const info = String(await command(redis, 'CLUSTER', 'INFO'))
      return info.includes('cluster_state:ok') && info.includes('cluster_known_nodes:2')
    }
    await until(async () => (await isUp(one)) && (await isUp(two)), 'the Cluster', PATIENCE_MS)

    const scene = await meet(`redis+cluster://127.0.0.1:${one.port}`)
    await post(scene, texts('before'))
    await moveSlots(one, two)
    await expectNothingLost(scene)
  })
})

/** Moves all slots with keys to the other node, as an operator would. */
async function moveSlots(one: RedisServer, two: RedisServer): Promise<void> {
  for (const [from, to, first] of [
    [one, two, 0],
    [two, one, 8192],
  ] as const) {
    const holder = await from.client()
    const taker = await to.client()
    const [fromId, toId] = [
      textOf(await holder.sendCommand(['CLUSTER', 'MYID'])),
      textOf(await taker.sendCommand(['CLUSTER', 'MYID'])),
    ]
    const slot = await slotWithKeys(holder, first)
    if (slot !== undefined) {
      await taker.sendCommand(['CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId])
      await holder.sendCommand(['CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId])
      for (;;) {
        const keys = (await holder.sendCommand([
          'CLUSTER',
          'GETKEYSINSLOT',
          slot,
          '100',
        ])) as unknown as string[]
        if (keys.length === 0) break
        await holder.sendCommand([
          'MIGRATE',
          '127.0.0.1',
          String(to.port),
          '',
          '0',
          '5000',
          'KEYS',
          ...keys,
        ])
      }
      for (const node of [taker, holder])
        await node.sendCommand(['CLUSTER', 'SETSLOT', slot, 'NODE', toId])
    }
    holder.destroy()
    taker.destroy()
    if (slot !== undefined) return
  }
  throw new Error('no slot has keys')
}

async function slotWithKeys(client: RedisClient, first: number): Promise<string | undefined> {
  for (let slot = first; slot < first + 8192; slot++)
    if (Number(await client.sendCommand(['CLUSTER', 'COUNTKEYSINSLOT', String(slot)])) > 0)
      return String(slot)
  return undefined
}

const textOf = (reply: unknown): string => (typeof reply === 'string' ? reply : '')
