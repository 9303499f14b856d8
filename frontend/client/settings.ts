import type { Mutator } from './request.ts'
import type {
  Credentials,
  Fetch,
  TransportSettings,
  WebSocketClass,
  WebSocketLike,
} from './transport.ts'

export type MutatorType =
  | 'connect'
  | 'message'
  | 'messageEdit'
  | 'messageDelete'
  | 'subscribe'
  | 'unsubscribe'
  | 'disconnect'
  | 'userState'

/** Properties that pages set and read. A later change takes effect the next time the property is used. */
export class Settings implements TransportSettings {
  /** Log the arguments of callbacks that the page did not replace. */
  debug = false
  /** Channels to join. Replaced by the channels in the backend's answers. */
  channels: string[] = []
  username = 'Anonymous'
  connectionId: string | null = null
  /** The open WebSocket, if that is the transport. */
  websocket: WebSocketLike | null = null
  /** The server's `/ws`. Empty: no WebSocket. */
  websocketUrl = ''
  /** The server's `/sse`: Server-Sent Events, used where WebSockets do not work. Empty: none. */
  sseUrl = ''
  /** The server's `/listen`. Empty: no long polling. */
  longPollUrl = ''
  /** On the page's backend, like all URLs below except `disconnectUrl`. */
  connectUrl = ''
  /** The server's `/disconnect`. */
  disconnectUrl = ''
  subscribeUrl = ''
  unsubscribeUrl = ''
  userStateUrl = ''
  messageUrl = ''
  messageEditUrl = ''
  messageDeleteUrl = ''
  /** Reconnect after a failure. */
  shouldReconnect = true
  /** Send a heartbeat every 10 s on a WebSocket. */
  heartbeats = true
  /** Milliseconds: the longest delay before the first retry. It doubles with each further retry, up to a minute. */
  increaseBounceIv = 2000
  /** Use no WebSocket. */
  noWebsocket = false
  /** Use no Server-Sent Events. */
  noSse = false
  connected = false
  /**
   * Milliseconds without data after which the server is considered dead, at least. If the server's own intervals are
   * long, the client waits for 2.5 of them. 0: never.
   */
  silenceTimeout = 20_000
  /** Whether requests to the page's backend carry cookies, as for the global `fetch`. The server gets none. */
  credentials: Credentials | undefined
  /** Used instead of the globals. */
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

/** Options of the constructor. All of them may also be set later, as properties. */
export type ConnectionOptions = Partial<
  Pick<
    Settings,
    | 'debug'
    | 'channels'
    | 'username'
    | 'connectionId'
    | 'websocketUrl'
    | 'sseUrl'
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
    | 'noSse'
    | 'silenceTimeout'
    | 'credentials'
    | 'fetch'
    | 'WebSocket'
  >
>
