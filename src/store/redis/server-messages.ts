import type { ChannelName, ConnId, UserName } from '../../protocol/ids.ts'

/** What scripts send to one server, on its own topic. */
interface ServerMessageHandlers {
  /** Redis has lost events that were announced. */
  epoch(): void
  /** An event for these users, who have clients here. */
  event(users: readonly UserName[], event: string): void
  /** The answer to a request with an idempotency key. */
  settled(answer: string): void
  /** There is something for webhooks. */
  webhook(): void
  /** About a connection. `n`: the number of the newest event, if the sender tells it. */
  command(
    n: number | undefined,
    type: string,
    connId: ConnId,
    number: number,
    channels: ChannelName[],
  ): void
}

/** Reads a message, and calls its handler. The first line is the type. */
export function dispatchServerMessage(text: string, handlers: ServerMessageHandlers): void {
  const [type = '', ...lines] = text.split('\n')
  switch (type) {
    case 'epoch':
      return handlers.epoch()
    case 'event': {
      const [users = '[]', ...event] = lines
      return handlers.event(JSON.parse(users) as UserName[], event.join('\n'))
    }
    case 'settled':
      return handlers.settled(lines.join('\n'))
    case 'webhook':
      return handlers.webhook()
    default: {
      const [connId, number, channels = '[]'] = lines
      // Older servers send zero instead of the number of the newest event.
      const n = type === 'moved' ? undefined : Number(number) || undefined
      const names = JSON.parse(channels) as ChannelName[]
      return handlers.command(n, type, connId as ConnId, Number(number), names)
    }
  }
}
