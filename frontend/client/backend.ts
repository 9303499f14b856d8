import { ChannelstreamError, guarded, report } from './errors.ts'
import { send } from './request.ts'
import type { Callbacks } from './callbacks.ts'
import type { ChannelstreamRequest, Sending } from './request.ts'
import type { MutatorType } from './settings.ts'

const TIMEOUT_MS = 30_000

const CALLBACKS = {
  connect: ['connectCallback', 'connectErrorCallback'],
  message: ['messageCallback', 'messageErrorCallback'],
  messageEdit: ['messageEditCallback', 'messageEditErrorCallback'],
  messageDelete: ['messageDeleteCallback', 'messageDeleteErrorCallback'],
  subscribe: ['subscribeCallback', 'subscribeErrorCallback'],
  unsubscribe: ['unsubscribeCallback', 'unsubscribeErrorCallback'],
  userState: ['setUserStateCallback', 'setUserStateErrorCallback'],
  disconnect: ['disconnectCallback', undefined],
} as const satisfies Record<MutatorType, readonly [keyof Callbacks, keyof Callbacks | undefined]>

/**
 * The request to `/disconnect` goes to the server, which is often of another origin: as plain text the browser sends it
 * without asking the server first, and also while the page goes away.
 */
const FAREWELL = { contentType: 'text/plain', init: { keepalive: true } } satisfies Partial<Sending>

export interface CallOptions {
  readonly signal?: AbortSignal | undefined
  /** Looks at the answer before the page is told of it. May throw a `ChannelstreamError`. */
  readonly accept?: (data: unknown) => void
}

/**
 * Has mutators change a request, sends it, and tells the page's callbacks of its outcome, unless `signal` was aborted.
 * Resolves with what was answered; rejects with a `ChannelstreamError`.
 */
export async function call(
  page: Callbacks,
  type: MutatorType,
  request: ChannelstreamRequest,
  { signal, accept }: CallOptions,
): Promise<unknown> {
  const [done, failed] = CALLBACKS[type]
  try {
    await mutate(request, page.mutators[type])
    if (type === 'subscribe' && isEmpty(request.body)) return null
    const sending = { fetch: page.fetch, timeoutMs: TIMEOUT_MS, signal }
    const data = await send(request, type === 'disconnect' ? { ...sending, ...FAREWELL } : sending)
    accept?.(data)
    guarded(() => page[done](request, data))
    return data
  } catch (error) {
    const data = (error as ChannelstreamError).answer
    if (failed && !signal?.aborted) guarded(() => page[failed](request, data))
    throw error
  }
}

async function mutate(
  request: ChannelstreamRequest,
  mutators: readonly ((request: ChannelstreamRequest) => unknown)[],
): Promise<void> {
  try {
    for (const mutator of mutators) await mutator(request)
  } catch (cause) {
    report(cause)
    throw new ChannelstreamError('mutator', `a mutator failed: ${String(cause)}`, { cause })
  }
}

const isEmpty = (body: unknown): boolean =>
  !(body as { channels?: readonly unknown[] | null } | null)?.channels?.length
