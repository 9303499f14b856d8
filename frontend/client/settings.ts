import type { Mutator } from './request.ts'
import type { Fetch, TransportSettings, WebSocketClass, WebSocketLike } from './transport.ts'

export type MutatorType =
  | 'connect'
  | 'message'
  | 'messageEdit'
  | 'messageDelete'
  | 'subscribe'
  | 'unsubscribe'
  | 'disconnect'
  | 'userState'

/** What pages set before they connect, and read. What is changed later holds from the next time it is used. */
export class Settings implements TransportSettings {
  /** Whether callbacks that the page did not replace log what they are given. */
  debug = false
  /** Channels to be in. Replaced by what the backend answers. */
  channels: string[] = []
  username = 'Anonymous'
  connectionId: string | null = null
  /** The open WebSocket, if that is the transport. */
  websocket: WebSocketLike | null = null
  /** Of the server: `/ws`. Empty: no WebSocket. */
  websocketUrl = ''
  /** Of the server: `/listen`. Empty: no long polling. */
  longPollUrl = ''
  /** Of the page's backend, as are the other addresses. */
  connectUrl = ''
  /** Of the server: `/disconnect`. */
  disconnectUrl = ''
  subscribeUrl = ''
  unsubscribeUrl = ''
  userStateUrl = ''
  messageUrl = ''
  messageEditUrl = ''
  messageDeleteUrl = ''
  /** Whether to come back after a failure. */
  shouldReconnect = true
  /** Whether to send a sign of life every 10 s on a WebSocket. */
  heartbeats = true
  /** Milliseconds: the longest delay before the first retry, which doubles with each further one, up to a minute. */
  increaseBounceIv = 2000
  /** Whether to use long polling only. */
  noWebsocket = false
  connected = false
  /**
   * Milliseconds without anything from the server, which sends something every 5 s by default, after which it is taken
   * for dead. 0: never.
   */
  silenceTimeout = 20_000
  /** To be used in place of the global ones. */
  fetch: Fetch | undefined
  WebSocket: WebSocketClass | undefined
  mutators: Record<MutatorType, Mutator[]> = {
    connect: [],
    message: [],
    messageEdit: [],
    messageDelete: [],
    subscribe: [],
    unsubscribe: [],
    disconnect: [],
    userState: [],
  }
}

/** What may be set from the start. All of it may also be set later, as properties. */
export type ConnectionOptions = Partial<
  Pick<
    Settings,
    | 'debug'
    | 'channels'
    | 'username'
    | 'connectionId'
    | 'websocketUrl'
    | 'longPollUrl'
    | 'connectUrl'
    | 'disconnectUrl'
    | 'subscribeUrl'
    | 'unsubscribeUrl'
    | 'userStateUrl'
    | 'messageUrl'
    | 'messageEditUrl'
    | 'messageDeleteUrl'
    | 'shouldReconnect'
    | 'heartbeats'
    | 'increaseBounceIv'
    | 'noWebsocket'
    | 'silenceTimeout'
    | 'fetch'
    | 'WebSocket'
  >
>
