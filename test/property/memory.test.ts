import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HubDriver } from './hub-driver.ts'
import { connIdOf, hubOptions, operations, runs } from './operations.ts'
import { World } from './world.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** Weak references to sinks, connections and payloads, with their kind. */
type Watched = [what: string, ref: WeakRef<object>][]

/** A driver that watches the objects it passes to the hub, without keeping them alive. */
function watchedDriver(watched: Watched, options: HubDriver['options']): HubDriver {
  const driver = new HubDriver(options)
  const watch = (what: string, thing: object) => watched.push([what, new WeakRef(thing)])
  const { post } = driver
  driver.post = (request, isCounted) => {
    const copy = structuredClone(request)
    for (const { message } of copy) watch('payload', message)
    return post(copy, isCounted)
  }
  const open = driver.open.bind(driver)
  driver.open = async (...args) => {
    const opened = await open(...args)
    if (opened) watch(opened.client.kind, opened.client)
    if (opened?.client.connection) watch('connection', opened.client.connection)
    return opened
  }
  return driver
}

/** Collects garbage repeatedly: once may miss objects that the optimiser or the last turn still refers to. */
async function stillHeld(watched: Watched): Promise<string[]> {
  let held: string[] = []
  for (let attempt = 0; attempt < 10; attempt++) {
    await new Promise((resolve) => setImmediate(resolve))
    collectGarbage()
    held = watched.filter(([, ref]) => ref.deref()).map(([what]) => what)
    if (held.length === 0) break
  }
  return held
}

/** The batch tree of the process keeps its newest branch. This replaces it by another hub's. */
async function pushSomethingElse(options: HubDriver['options']): Promise<void> {
  const driver = new HubDriver(options)
  const connId = connIdOf(0)
  const nothing = { channel_configs: {}, user_state: {}, fresh_user_state: {}, info: {} }
  const who = { conn_id: connId, username: 'ann' as const, state_public_keys: [] }
  await driver.connect({ ...nothing, ...who, channels: ['a'] })
  await driver.open(connId, 'websocket', undefined)
  const message = { text: 'short' as const, to: [], not: [] }
  const everybody = { channel: 'a' as const, pm_users: [], exclude_users: [], no_history: true }
  await driver.post([{ ...everybody, user: 'ann' as const, message }], false)
  await driver.settle()
}

describe('the memory of a hub', () => {
  it('holds no client and no message after everybody has gone', { timeout: 120_000 }, () =>
    fc.assert(
      fc.asyncProperty(hubOptions, operations(60, ['sse']), async (options, sequence) => {
        const watched: Watched = []
        const driver = watchedDriver(watched, options)
        await playAndGo(driver, sequence)
        await pushSomethingElse(options)
        expect(await stillHeld(watched)).toEqual([])
        expect(driver.hub.openConnections).toBe(0)
      }),
      { numRuns: runs(8) },
    ),
  )
})

/** A function of its own, so that its variables keep nothing alive. */
async function playAndGo(driver: HubDriver, sequence: Parameters<World['play']>[0]) {
  const world = new World(driver)
  await world.play(sequence)
  await world.everybodyGoes()
}
