/** What Redis answers while it cannot do its work, and what its operator can do about it. */
import { ErrorReply } from '@redis/client'
import { reasonOf } from '../../lib/reason.ts'
import { StoreUnavailable } from '../store.ts'

const MOVES = 'A slot of the Cluster moves to another node. This passes by itself.'

/**
 * By the first word of the answer. The connection is made anew, which fails for as long as this lasts, and then puts right
 * what could not be written; or another machine answers by then.
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
  UNBLOCKED: 'Redis has become a replica. This passes with the fail-over.',
  MOVED: MOVES,
  ASK: MOVES,
  TRYAGAIN: MOVES,
}

/** Answers to a connection that is made, which begin with words that others begin with, too. */
const REFUSALS: readonly (readonly [RegExp, string])[] = [
  [
    /max number of clients/,
    'Redis has as many clients as its maxclients allows. Raise it; each server needs two.',
  ],
]

/** Whether Redis cannot do its work at the moment, or another machine has to be asked. */
export const isUnavailable = (error: ErrorReply): boolean => firstWordOf(error) in ADVICE

/** What Redis said, or what happened to the connection, behind an error that callers get. */
export const causeOf = (error: unknown): unknown =>
  error instanceof StoreUnavailable && error.cause !== undefined ? error.cause : error

/** What can be done about it, for the log; undefined if there is nothing to say beyond the error. */
export function adviceOn(error: unknown): string | undefined {
  const [, refusal] = REFUSALS.find(([form]) => form.test(reasonOf(error))) ?? []
  if (refusal !== undefined) return refusal
  return error instanceof ErrorReply ? ADVICE[firstWordOf(error)] : undefined
}

const firstWordOf = ({ message }: Error): string => /^[A-Z]+(?= )/.exec(message)?.[0] ?? ''
