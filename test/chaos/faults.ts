import { pause } from '../helpers/http.ts'
import type { Fleet, Member } from './fleet.ts'
import type { Chance } from './random.ts'

type Fault = (chance: Chance) => Promise<void>

/** Faults of one server: it is killed, restarted or frozen, or loses its network. */
const onServer = (member: Member): Readonly<Record<string, Fault>> => ({
  'server killed': async (chance) => {
    await member.end('SIGKILL')
    await pause(chance.between(0, 3_000))
    await member.start()
  },
  'server restarted': async () => {
    await member.end('SIGTERM')
    await member.start()
  },
  'server frozen': async (chance) => {
    member.process?.signal('SIGSTOP')
    await pause(chance.between(500, 9_000))
    member.process?.signal('SIGCONT')
  },
  'network silent': async (chance) => {
    member.network.silence()
    await pause(chance.between(500, 9_000))
    member.network.heal()
  },
  'network cut': async (chance) => {
    member.network.cut()
    await pause(chance.between(0, 3_000))
    member.network.heal()
  },
})

const onRedis = ({ redis }: Fleet): Readonly<Record<string, Fault>> => ({
  'Redis killed': async (chance) => {
    await redis.halt()
    await pause(chance.between(0, 2_000))
    await redis.restart()
  },
  'Redis frozen': async (chance) => {
    redis.pause()
    await pause(chance.between(200, 4_000))
    redis.resume()
  },
})

/** Causes faults one after another until `isOver`, on servers and Redis in parallel. Resolves with their counts. */
export async function injectFaults(
  fleet: Fleet,
  chance: Chance,
  isOver: () => boolean,
): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>()
  const run = async (own: Chance, next: () => [string, Fault], rest: [number, number]) => {
    while (!isOver()) {
      await pause(own.between(...rest))
      const [name, fault] = next()
      counts.set(name, (counts.get(name) ?? 0) + 1)
      await fault(own)
    }
  }
  const servers = chance.fork()
  const redis = chance.fork()
  await Promise.all([
    run(
      servers,
      () => servers.pick(Object.entries(onServer(servers.pick(fleet.members)))),
      [200, 2_000],
    ),
    run(redis, () => redis.pick(Object.entries(onRedis(fleet))), [4_000, 12_000]),
  ])
  return counts
}
