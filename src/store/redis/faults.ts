/** Errors that Redis replies with while it cannot work, and advice for its operator. */
import { ErrorReply } from '@redis/client'
import { reasonOf } from '../../lib/reason.ts'
import { StoreUnavailable } from '../store.ts'

const MOVES = 'A slot of the Cluster moves to another node. This passes by itself.'

/**
 * By the first word of the error. The connection is cut, and reconnecting fails as long as the problem lasts. After
 * that, the reconnect repairs what could not be written; or another machine has taken over.
 */
const ADVICE: Readonly<Record<string, string>> = {
  OOM: 'Redis has used up its maxmemory and refuses to write. Raise maxmemory, or remove what else is kept there.',
  MISCONF:
    'Redis cannot save its data to disk and refuses to write. Free space on its disk; its own log says what failed.',
  READONLY:
    'This Redis is a replica. After a fail-over the address must lead to the new master: check redis_url.',
  LOADING: 'Redis is loading its data after a start. This passes by itself.',
  BUSY: 'A script runs in Redis for longer than busy-reply-threshold. SCRIPT KILL ends it, if it has written nothing.',
  NOREPLICAS: 'Redis has fewer replicas than its min-replicas-to-write and refuses to write.',
  MASTERDOWN: 'This Redis is a replica that has lost its master.',
  CLUSTERDOWN:
    'The Cluster does not serve this slot: a shard has no master. CLUSTER INFO says more.',
  NOPERM:
    'The user of redis_url may not do what the server needs. Give it all commands and the keys and channels of redis_prefix.',
  NOAUTH: 'Redis asks for a password by now. Put it into redis_url.',
  IMPORTING:
    'Wait for the end of channelstream import. If it was broken off, remove the keys of redis_prefix and import again.',
  UNBLOCKED: 'Redis has become a replica. This passes with the fail-over.',
  MOVED: MOVES,
  ASK: MOVES,
  TRYAGAIN: MOVES,
}

/** Errors on connecting whose first word is not specific. */
const REFUSALS: readonly (readonly [RegExp, string])[] = [
  [
    /max number of clients/,
    'Redis has as many clients as its maxclients allows. Raise it; each server needs two.',
  ],
]

/** Whether Redis cannot work at the moment, or another machine has to be used. */
export const isUnavailable = (error: ErrorReply): boolean => firstWordOf(error) in ADVICE

/** Unwraps the error of Redis or of the connection from a `StoreUnavailable`. */
export const causeOf = (error: unknown): unknown =>
  error instanceof StoreUnavailable && error.cause !== undefined ? error.cause : error

/** Returns advice for the log; undefined if there is nothing to add to the error. */
export function adviceOn(error: unknown): string | undefined {
  const [, refusal] = REFUSALS.find(([form]) => form.test(reasonOf(error))) ?? []
  if (refusal !== undefined) return refusal
  return error instanceof ErrorReply ? ADVICE[firstWordOf(error)] : undefined
}

const firstWordOf = ({ message }: Error): string => /^[A-Z]+(?= )/.exec(message)?.[0] ?? ''
