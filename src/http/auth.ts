import { pathOf, queryOf } from '../lib/urls.ts'
import { RequestError } from '../protocol/errors.ts'
import { SIGNATURE_HEADER } from '../protocol/headers.ts'
import { forwardedView, stripPrefix } from './forwarding.ts'
import { coversPath } from './signature.ts'
import type { IncomingMessage } from 'node:http'
import type { Clock } from '../lib/clock.ts'
import type { Awaitable } from '../store/store.ts'
import type { AddressList } from './addresses.ts'
import type { ForwardedView, ForwardingRules } from './forwarding.ts'
import type { SignatureChecker } from './signature.ts'

export interface AuthRules {
  readonly checker: SignatureChecker
  /** Addresses that may sign requests. Signatures from other addresses are ignored. */
  readonly allowPostingFrom: AddressList
  readonly forwarding: ForwardingRules
  /** `endpoint`: the signed value must be the request's path. */
  readonly signatureScope: 'any' | 'endpoint'
  readonly enforceHttps: boolean
  /**
   * Returns whether the admin panel makes the request for a user who is signed in. This counts as a signature, from any
   * address.
   */
  readonly isPanelCall: (request: IncomingMessage) => Awaitable<boolean>
}

/** Who makes a request, and how it reached the server. */
export interface Caller {
  readonly view: ForwardedView
  /** True for a valid signature from an address that may post, and for calls of the admin panel. */
  readonly isBackend: boolean
  /** True for a request with a signature from an address that may not post. The signature is not checked. */
  readonly isUnlisted?: boolean
}

export const SIGNATURE_PARAMETER = 'secret'

/** Identifies the caller from headers and address, before the body is read. */
export class Auth {
  constructor(
    private rules: AuthRules,
    private readonly clock: Clock,
  ) {}

  /** Applies to requests from now on. */
  changeRules(changed: Partial<AuthRules>): void {
    this.rules = { ...this.rules, ...changed }
  }

  /**
   * Returns how the request reached the server. Throws `HTTPS_REQUIRED` (406). `/ws` uses this alone, because a
   * signature means nothing there, as recorded.
   */
  view(request: IncomingMessage, takesHttp = false): ForwardedView {
    const view = forwardedView(request, this.rules.forwarding)
    if (this.rules.enforceHttps && !takesHttp && !view.isHttps)
      throw new RequestError('HTTPS_REQUIRED')
    return view
  }

  /**
   * Throws `BAD_SIGNATURE` (401) for an invalid signature, even where none is needed, and `HTTPS_REQUIRED` (406). An
   * empty signature counts as missing. Source: recorded (signature-*).
   *
   * Returns a promise only for calls of the admin panel, because a remote store may hold the session.
   */
  identify(request: IncomingMessage, takesHttp?: boolean): Awaitable<Caller> {
    const view = this.view(request, takesHttp)
    const signed = signatureOf(request)
    if (!signed) return this.#identifyPanel(request, { view, isBackend: false })
    if (!this.rules.allowPostingFrom.includes(view.address))
      return this.#identifyPanel(request, { view, isBackend: false, isUnlisted: true })
    const verified = this.rules.checker.verify(signed, this.clock.wallTime() / 1000)
    const covers =
      this.rules.signatureScope === 'any' ||
      (verified && coversPath(verified, pathOf(stripPrefix(request.url ?? '/', view.prefix))))
    if (!verified || !covers) throw new RequestError('BAD_SIGNATURE')
    return { view, isBackend: true }
  }

  /** `stranger`: the caller, unless the panel calls. */
  #identifyPanel(request: IncomingMessage, stranger: Caller): Awaitable<Caller> {
    const { view } = stranger
    const isPanel = this.rules.isPanelCall(request)
    if (typeof isPanel === 'boolean') return isPanel ? { view, isBackend: true } : stranger
    return isPanel.then((isBackend) => (isBackend ? { view, isBackend } : stranger))
  }
}

/**
 * The header takes precedence over the query, even if it is empty (recorded: signature-header-wins,
 * signature-malformed).
 */
function signatureOf(request: IncomingMessage): string | undefined {
  const header = request.headers[SIGNATURE_HEADER]
  if (header !== undefined) return Array.isArray(header) ? header.join() : header
  const url = request.url ?? ''
  if (!url.includes(`${SIGNATURE_PARAMETER}=`)) return undefined
  return queryOf(url).getAll(SIGNATURE_PARAMETER).at(-1)
}
