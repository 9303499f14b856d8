import { Settings } from './settings.ts'
import type { ServerEvent } from './events.ts'
import type { ChannelstreamRequest } from './request.ts'

interface CallbackMethods {
  connectCallback(request: ChannelstreamRequest, data: unknown): void
  connectErrorCallback(request: ChannelstreamRequest, data: unknown): void
  disconnectCallback(request: ChannelstreamRequest, data: unknown): void
  messageCallback(request: ChannelstreamRequest, data: unknown): void
  messageErrorCallback(request: ChannelstreamRequest, data: unknown): void
  messageEditCallback(request: ChannelstreamRequest, data: unknown): void
  messageEditErrorCallback(request: ChannelstreamRequest, data: unknown): void
  messageDeleteCallback(request: ChannelstreamRequest, data: unknown): void
  messageDeleteErrorCallback(request: ChannelstreamRequest, data: unknown): void
  subscribeCallback(request: ChannelstreamRequest, data: unknown): void
  subscribeErrorCallback(request: ChannelstreamRequest, data: unknown): void
  unsubscribeCallback(request: ChannelstreamRequest, data: unknown): void
  unsubscribeErrorCallback(request: ChannelstreamRequest, data: unknown): void
  setUserStateCallback(request: ChannelstreamRequest, data: unknown): void
  setUserStateErrorCallback(request: ChannelstreamRequest, data: unknown): void

  /** Called with the request to `connectUrl` and its answer, if there was one. */
  beforeListeningCallback(request?: ChannelstreamRequest, data?: unknown): void
  /** Called with the open event of the WebSocket, or the request of the poll. */
  listenOpenedCallback(request: unknown, data?: unknown): void
  /** Called with each list of events received; an empty list is a heartbeat. */
  listenMessageCallback(data: readonly ServerEvent[]): void
  /** Called with the close event of the WebSocket, or the request of the poll. */
  listenCloseCallback(request: unknown, data?: unknown): void
  /** Called with the error event of the WebSocket, or the request of the poll and its answer. */
  listenErrorCallback(request: unknown, data?: unknown): void
  /** Called when the connection is closed and will not reconnect by itself. */
  connectionClosedCallback(): void
  channelsChangedCallback(channels: readonly string[]): void
}

/** Each has a method of its own, which the loop below makes: written out, each would be in the client twice. */
const NAMES = [
  'connect',
  'connectError',
  'disconnect',
  'message',
  'messageError',
  'messageEdit',
  'messageEditError',
  'messageDelete',
  'messageDeleteError',
  'subscribe',
  'subscribeError',
  'unsubscribe',
  'unsubscribeError',
  'setUserState',
  'setUserStateError',
  'beforeListening',
  'listenOpened',
  'listenMessage',
  'listenClose',
  'listenError',
  'connectionClosed',
  'channelsChanged',
]

const WithMethods = Settings as new () => Settings & CallbackMethods

/**
 * Callbacks that pages overwrite. By default they do nothing, or log their arguments if `debug` is set. An error that a
 * callback throws is reported and stops nothing.
 */
export class Callbacks extends WithMethods {}

for (const name of NAMES) {
  const callback = `${name}Callback`
  Object.defineProperty(Callbacks.prototype, callback, {
    configurable: true,
    writable: true,
    value(this: Settings, ...details: unknown[]) {
      if (this.debug) console.log(callback, ...details)
    },
  })
}
