import type { IncomingMessage } from 'node:http'
import type { ChannelName } from '../protocol/ids.ts'
import type { Awaitable } from '../store/store.ts'
import type { Refusal } from './refusals.ts'
import type { Dialect } from './socket.ts'
import type { Permissions } from './token.ts'

/** What the API has to know of the server. */
export interface ServerState {
  readonly port: number
  readonly connections: number
}

/** What becomes of a request. */
export type Verdict =
  | { readonly answer: Refusal }
  /** A handshake. What the client may do is known. */
  | { readonly permissions: Permissions }
  /** A handshake. What the client may do is found out behind it; a text is the last that a refused client hears. */
  | { readonly findPermissions: () => Promise<Permissions | string> }

/** One of Philote's two generations, which share little more than the idea. */
export interface Generation {
  readonly dialect: Dialect
  /** Sockets open at a time. */
  readonly maxConnections: number
  judge(request: IncomingMessage, server: ServerState): Awaitable<Verdict>
  pickProtocol(offered: ReadonlySet<string>): string | false
  /** Resolves once what is said elsewhere in these channels, which somebody listens to, comes here. */
  ready?(channels: readonly ChannelName[]): Promise<void>
}
