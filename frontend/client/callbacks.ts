import { Settings } from './settings.ts'
import type { ServerEvent } from './events.ts'
import type { ChannelstreamRequest } from './request.ts'

/**
 * Callbacks that pages overwrite. By default they do nothing, or log their arguments if `debug` is set. An error that a
 * callback throws is reported and stops nothing.
 */
export class Callbacks extends Settings {
  connectCallback(request: ChannelstreamRequest, data: unknown): void {
    this.#log('connectCallback', request, data)
  }
  connectErrorCallback(request: ChannelstreamRequest, data: unknown): void {
    this.#log('connectErrorCallback', request, data)
  }
  disconnectCallback(request: ChannelstreamRequest, data: unknown): void {
    this.#log('disconnectCallback', request, data)
  }
  messageCallback(request: ChannelstreamRequest, data: unknown): void {
    this.#log('messageCallback', request, data)
  }
  messageErrorCallback(request: ChannelstreamRequest, data: unknown): void {
    this.#log('messageErrorCallback', request, data)
  }
  messageEditCallback(request: ChannelstreamRequest, data: unknown): void {
    this.#log('messageEditCallback', request, data)
  }
  messageEditErrorCallback(request: ChannelstreamRequest, data: unknown): void {
    this.#log('messageEditErrorCallback', request, data)
  }
  messageDeleteCallback(request: ChannelstreamRequest, data: unknown): void {
    this.#log('messageDeleteCallback', request, data)
  }
  messageDeleteErrorCallback(request: ChannelstreamRequest, data: unknown): void {
    this.#log('messageDeleteErrorCallback', request, data)
  }
  subscribeCallback(request: ChannelstreamRequest, data: unknown): void {
    this.#log('subscribeCallback', request, data)
  }
  subscribeErrorCallback(request: ChannelstreamRequest, data: unknown): void {
    this.#log('subscribeErrorCallback', request, data)
  }
  unsubscribeCallback(request: ChannelstreamRequest, data: unknown): void {
    this.#log('unsubscribeCallback', request, data)
  }
  unsubscribeErrorCallback(request: ChannelstreamRequest, data: unknown): void {
    this.#log('unsubscribeErrorCallback', request, data)
  }
  setUserStateCallback(request: ChannelstreamRequest, data: unknown): void {
    this.#log('setUserStateCallback', request, data)
  }
  setUserStateErrorCallback(request: ChannelstreamRequest, data: unknown): void {
    this.#log('setUserStateErrorCallback', request, data)
  }

  /** Called with the request to `connectUrl` and its answer, if there was one. */
  beforeListeningCallback(request?: ChannelstreamRequest, data?: unknown): void {
    this.#log('beforeListeningCallback', request, data)
  }
  /** Called with the open event of the WebSocket, or the request of the poll. */
  listenOpenedCallback(request: unknown, data?: unknown): void {
    this.#log('listenOpenedCallback', request, data)
  }
  /** Called with each list of events received; an empty list is a heartbeat. */
  listenMessageCallback(data: readonly ServerEvent[]): void {
    this.#log('listenMessageCallback', data)
  }
  /** Called with the close event of the WebSocket, or the request of the poll. */
  listenCloseCallback(request: unknown, data?: unknown): void {
    this.#log('listenCloseCallback', request, data)
  }
  /** Called with the error event of the WebSocket, or the request of the poll and its answer. */
  listenErrorCallback(request: unknown, data?: unknown): void {
    this.#log('listenErrorCallback', request, data)
  }
  /** Called when the connection is closed and will not reconnect by itself. */
  connectionClosedCallback(): void {
    this.#log('connectionClosedCallback')
  }
  channelsChangedCallback(channels: readonly string[]): void {
    this.#log('channelsChangedCallback', channels)
  }

  #log(name: string, ...details: unknown[]): void {
    if (this.debug) console.log(name, ...details)
  }
}
