/** For whom a message is, by the model. */
import { allows } from './model-log.ts'
import { targetsOf } from './operations.ts'
import type { Model, ModelConnection } from './model.ts'
import type { Target } from './operations.ts'

interface Addressed extends Target {
  readonly pm_users: readonly string[]
  readonly exclude_users: readonly string[]
}

/** To be called before the message is published, or after: that changes nobody's membership. */
export function expectedRecipients(model: Model, message: Addressed) {
  const { pm_users: pm, exclude_users: exclude } = message
  const isFor = (user: string): boolean => allows({ pm, exclude }, user)
  const audiences = targetsOf(message).map((name): ModelConnection[] => {
    const there = name === null ? [...model.connections.values()] : model.connectionsIn(name)
    return there.filter(({ user }) => isFor(user))
  })
  return {
    connections: audiences.flat().length,
    users: audiences.flatMap((audience) => [...new Set(audience.map(({ user }) => user))]).length,
    unknown_channels: targetsOf(message).filter(
      (name) => name !== null && !model.channels.has(name),
    ),
  }
}
