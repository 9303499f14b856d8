import type { IncomingMessage } from 'node:http'
import type { Secrets } from '../lib/secrets.ts'
import type { ChannelName } from '../protocol/ids.ts'
import type { Awaitable } from '../store/store.ts'
import type { Refusal } from './refusals.ts'
import type { Dialect } from './socket.ts'
import type { Permissions } from './token.ts'

/** The state of the server that the API shows. */
export interface ServerState {
  readonly port: number
  readonly connections: number
}

/** How a request is handled. */
export type Decision =
  | { readonly answer: Refusal }
  /** A handshake with known permissions. */
  | { readonly permissions: Permissions }
  /** A handshake whose permissions are looked up after it. A text refuses the client: it is sent before the close. */
  | { readonly findPermissions: () => Promise<Permissions | string> }

/** One of Philote's two generations, which have little in common. */
export interface Generation {
  readonly dialect: Dialect
  /** Limit of open sockets. */
  readonly maxConnections: number
  evaluate(request: IncomingMessage, server: ServerState): Awaitable<Decision>
  pickProtocol(offered: ReadonlySet<string>): string | false
  /** Applies to tokens that are checked from now on. Only where there are tokens. */
  changeSecrets?(secrets: Secrets): void
  /** Resolves when messages from elsewhere in these channels arrive here. A guest has to listen to the channels. */
  ready?(channels: readonly ChannelName[]): Promise<void>
}
