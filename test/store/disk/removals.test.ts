/** Removals are forgotten in the order in which they changed, so the log has to give the order of memory back. */
import { expect, it, onTestFinished } from 'vitest'
import { channelNames, connIdOf, connect, settingsMap } from '../../contract/fixtures.ts'
import { factsOnDisk } from '../../helpers/disk-image.ts'
import { freshDirectory, openDiskStore } from '../../helpers/disk-store.ts'

const ROOM = channelNames('room')

it('have one order in memory, in the log and after a restart, also of those who joined again', async () => {
  const directory = freshDirectory()
  const store = await openDiskStore({ directory })
  onTestFinished(() => store.stop())
  await connect(store, 'eve', { id: 9, channels: ['room'] })
  for (const [index, user] of ['ann', 'bob', 'cat'].entries()) {
    await connect(store, user, { id: index + 1, channels: ['room'] })
    await store.leave(connIdOf(index + 1), ROOM)
  }
  await store.join(connIdOf(1), ROOM, settingsMap({ room: {} }))
  // These two are one commit.
  await Promise.all([
    store.join(connIdOf(2), ROOM, settingsMap({ room: {} })),
    store.leave(connIdOf(2), ROOM),
  ])

  const logged = factsOnDisk(directory) as { channels: [string, { floors: [string, number][] }][] }
  const removed = logged.channels.flatMap(([, { floors }]) => floors)
  expect(removed.map(([who]) => who)).toEqual(['u:cat', 'u:ann', 'u:bob'])
  await store.compact()
  expect(factsOnDisk(directory)).toEqual({ ...logged, now: expect.anything() as number })
})
