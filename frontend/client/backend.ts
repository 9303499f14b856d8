import { ChannelstreamError, guarded, report } from './errors.ts'
import { send } from './request.ts'
import type { Callbacks } from './callbacks.ts'
import type { ChannelstreamRequest, SendOptions } from './request.ts'
import type { MutatorType } from './settings.ts'

/** The longest time for a call of the page. */
export const CALL_TIMEOUT_MS = 30_000

/** The names of callbacks that do not begin with the type of the call. */
const NAMES: { readonly [Type in MutatorType]?: 'setUserState' } = { userState: 'setUserState' }

/**
 * The request to `/disconnect` goes to the Channelstream server, which often has another origin. Plain text avoids a
 * CORS preflight, and `keepalive` lets the browser send it while the page unloads.
 */
const DISCONNECT_OPTIONS = {
  contentType: 'text/plain',
  init: { keepalive: true },
} satisfies Partial<SendOptions>

export interface CallOptions {
  /** Whether the answer is still of use. If not, the page's callbacks are not called. */
  readonly isCurrent?: () => boolean
  /** Checks the answer before the page's callback gets it. May throw a `ChannelstreamError`. */
  readonly accept?: (data: unknown) => void
}

/**
 * Runs the mutators on a request, sends it, and calls the page's callback for success or failure. Resolves with the
 * answer; rejects with a `ChannelstreamError`.
 */
export async function call(
  page: Callbacks,
  type: MutatorType,
  request: ChannelstreamRequest,
  { isCurrent = () => true, accept }: CallOptions = {},
): Promise<unknown> {
  const name = NAMES[type] ?? (type as Exclude<MutatorType, 'userState'>)
  try {
    await mutate(request, page.mutators[type])
    if (request.url === '')
      throw new ChannelstreamError('settings', `there is no address for ${type}`)
    if (!isCurrent() || (type === 'subscribe' && isEmpty(request.body))) return null
    const { fetch, credentials } = page
    const data = await send(request, {
      fetch,
      timeoutMs: CALL_TIMEOUT_MS,
      ...(credentials && { init: { credentials } }),
      ...(type === 'disconnect' && DISCONNECT_OPTIONS),
    })
    accept?.(data)
    if (isCurrent()) guarded(() => page[`${name}Callback`](request, data))
    return data
  } catch (error) {
    const data = (error as ChannelstreamError).answer
    if (isCurrent() && name !== 'disconnect')
      guarded(() => page[`${name}ErrorCallback`](request, data))
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
