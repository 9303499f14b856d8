/**
 * Runs three servers on one Redis under load, while servers are killed, restarted, frozen and cut off from the network,
 * and Redis is killed and frozen. Checks that each client received exactly its events, once and in order.
 *
 * `npm run test:chaos` runs it for ten minutes. `CHAOS_SECONDS` sets the duration, `CHAOS_SEED` the random seed.
 */
import { afterAll, describe, expect, it } from 'vitest'
import { endAll } from '../helpers/ending.ts'
import { until } from '../helpers/http.ts'
import { injectFaults } from './faults.ts'
import { Fleet } from './fleet.ts'
import { ROOMS, visitBriefly, enter, say, awaitFirstEvent, speak, visit } from './people.ts'
import { Chance } from './random.ts'
import { Record } from './record.ts'
import { faultsOf, faultsOfPresence } from './verdict.ts'
import type { ChannelsInfo } from '../../src/protocol/responses.ts'
import type { ChaosClient } from './client.ts'
import type { Scene } from './people.ts'

const SECONDS = Number(process.env['CHAOS_SECONDS'] ?? 45)
const SEED = Number(process.env['CHAOS_SEED'] ?? Date.now() % 1_000_000)
const SETTLING_MS = 120_000
const RESIDENTS = 12

describe(`three servers on one Redis, for ${SECONDS} s with seed ${SEED}`, () => {
  afterAll(endAll)

  it(
    'lose, double, reorder and betray nothing, whatever goes wrong',
    { timeout: SECONDS * 1000 + 300_000 },
    async () => {
      const chance = new Chance(SEED)
      const fleet = await Fleet.start(3)
      const clients: ChaosClient[] = []
      const scene: Scene = { fleet, record: new Record(), chance, clients }
      const residents: ChaosClient[] = []
      for (let number = 0; number < RESIDENTS; number++) {
        const user = `resident-${number}`
        const kind = number % 3 === 2 ? 'poll' : 'socket'
        residents.push((await enter(scene, { user, rooms: ROOMS, kind })).client)
      }
      await Promise.all(residents.map((resident) => awaitFirstEvent(scene, resident)))

      const names = residents.map(({ user }) => user)
      const end = performance.now() + SECONDS * 1000
      const isOver = (): boolean => performance.now() > end
      const own = (): Scene => ({ ...scene, chance: chance.fork() })
      const [counts] = await Promise.all([
        injectFaults(fleet, chance.fork(), isOver),
        ...['p1', 'p2', 'p3', 'p4'].map((by) => speak(own(), by, names, isOver)),
        ...['v1', 'v2', 'v3'].map((user) => visit(own(), user, 'socket', isOver)),
        ...['v4', 'v5'].map((user) => visit(own(), user, 'poll', isOver)),
        ...['d1', 'd2', 'd3'].map((name) => visitBriefly(own(), name, isOver)),
      ])

      const last = await Promise.all(
        ROOMS.map((room) => say(own(), `the last one in ${room}`, { room, users: [] })),
      )
      const texts = last.map(({ text }) => text)
      const lacksOf = ({ events }: ChaosClient) => {
        const told = new Set(events.map(({ message }) => message?.text))
        return texts.filter((text) => !told.has(text))
      }
      const areDone = () => residents.every((resident) => lacksOf(resident).length === 0)
      await until(areDone, 'everybody to have what was said last', SETTLING_MS).catch(() => {}) // checked below
      const faults = [
        ...clients.flatMap((client) => faultsOf(client, scene.record)),
        ...residents.flatMap((resident) => faultsOfPresence(resident, names, scene.record)),
      ]
      const info = await fleet.call<ChannelsInfo>(chance, 'POST /info', { info: {} })
      const present = ROOMS.map((room) => [room, (info.channels[room]?.users ?? []).sort()])
      const heard = clients.reduce((sum, { events }) => sum + events.length, 0)
      const comings = clients.reduce((sum, { connections }) => sum + connections, 0)
      console.log(
        `seed ${SEED}: ${[...counts].map(([name, count]) => `${name} ${count}`).join(', ')}; ` +
          `${scene.record.posted.size} posted, ${heard} heard, ${clients.length} clients came ${comings} times`,
      )
      await Promise.all(clients.map((client) => client.stop()))
      await fleet.stop()
      expect(faults.slice(0, 30), `${faults.length} faults`).toEqual([])
      expect(present).toEqual(
        ROOMS.map((room) => [room, [...(scene.record.present.get(room) ?? [])].sort()]),
      )
      // A run without messages or faults would prove nothing.
      expect(scene.record.posted.size).toBeGreaterThan(SECONDS * 5)
      expect(counts.size).toBeGreaterThan(Math.min(SECONDS / 15, 4))
    },
  )
})
