import { ChannelstreamError, guarded, report } from './errors.ts'
import { send } from './request.ts'
import type { Callbacks } from './callbacks.ts'
import type { ChannelstreamRequest, SendOptions } from './request.ts'
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
 * The request to `/disconnect` goes to the Channelstream server, which often has another origin. Plain text avoids a
 * CORS preflight, and `keepalive` lets the browser send it while the page unloads.
 */
const DISCONNECT_OPTIONS = {
  contentType: 'text/plain',
  init: { keepalive: true },
} satisfies Partial<SendOptions>

export interface CallOptions {
  readonly signal?: AbortSignal | undefined
  /** Checks the answer before the page's callback gets it. May throw a `ChannelstreamError`. */
  readonly accept?: (data: unknown) => void
}

/**
 * Runs the mutators on a request, sends it, and calls the page's callback for success or failure. The failure callback
 * is not called after `signal` was aborted. Resolves with the answer; rejects with a `ChannelstreamError`.
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
    const options = { fetch: page.fetch, timeoutMs: TIMEOUT_MS, signal }
    const data = await send(
      request,
      type === 'disconnect' ? { ...options, ...DISCONNECT_OPTIONS } : options,
    )
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
