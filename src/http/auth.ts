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
  /** Addresses that may sign requests. From others a signature counts as none. */
  readonly allowPostingFrom: AddressList
  readonly forwarding: ForwardingRules
  /** `endpoint`: what was signed has to be the request's path. */
  readonly signatureScope: 'any' | 'endpoint'
  readonly enforceHttps: boolean
  /** Whether the admin panel makes the request, for somebody who is signed in: as good as a signature, from anywhere. */
  readonly isPanelCall: (request: IncomingMessage) => Awaitable<boolean>
}

/** Who makes a request, and how. */
export interface Caller {
  readonly view: ForwardedView
  /** True if a good signature came from an address that may post, or the admin panel asks: as the backend itself. */
  readonly isBackend: boolean
}

export const SIGNATURE_PARAMETER = 'secret'

/** Finds out who makes a request, from its headers and its address; before its body is read. */
export class Auth {
  constructor(
    private readonly rules: AuthRules,
    private readonly clock: Clock,
  ) {}

  /** How a request came. Throws `HTTPS_REQUIRED` (406). For `/ws`, where a signature means nothing, as recorded. */
  view(request: IncomingMessage): ForwardedView {
    const view = forwardedView(request, this.rules.forwarding)
    if (this.rules.enforceHttps && !view.isHttps) throw new RequestError('HTTPS_REQUIRED')
    return view
  }

  /**
   * Throws `BAD_SIGNATURE` (401) for a signature that is not good, also where none is needed, and `HTTPS_REQUIRED` (406).
   * An empty or missing signature is none. Source: recorded (signature-*).
   *
   * A promise only for calls of the admin panel, whose session may be known to a store that is far away.
   */
  identify(request: IncomingMessage): Awaitable<Caller> {
    const view = this.view(request)
    const signed = signatureOf(request)
    if (!signed || !this.rules.allowPostingFrom.includes(view.address))
      return this.#identifyPanel(request, view)
    const verified = this.rules.checker.verify(signed, this.clock.wallTime() / 1000)
    const covers =
      this.rules.signatureScope === 'any' ||
      (verified && coversPath(verified, pathOf(request, view)))
    if (!verified || !covers) throw new RequestError('BAD_SIGNATURE')
    return { view, isBackend: true }
  }

  #identifyPanel(request: IncomingMessage, view: ForwardedView): Awaitable<Caller> {
    const isPanel = this.rules.isPanelCall(request)
    return typeof isPanel === 'boolean'
      ? { view, isBackend: isPanel }
      : isPanel.then((isBackend) => ({ view, isBackend }))
  }
}

/** The header counts, even an empty one, before the query (recorded: signature-header-wins, signature-malformed). */
function signatureOf(request: IncomingMessage): string | undefined {
  const header = request.headers[SIGNATURE_HEADER]
  if (header !== undefined) return Array.isArray(header) ? header.join() : header
  const url = request.url ?? ''
  if (!url.includes(`${SIGNATURE_PARAMETER}=`)) return undefined
  return queryOf(url).getAll(SIGNATURE_PARAMETER).at(-1)
}

/** The query of a request's url. */
export function queryOf(url: string): URLSearchParams {
  const at = url.indexOf('?')
  return new URLSearchParams(at < 0 ? '' : url.slice(at + 1))
}

function pathOf(request: IncomingMessage, view: ForwardedView): string {
  const url = stripPrefix(request.url ?? '/', view.prefix)
  const at = url.indexOf('?')
  return at < 0 ? url : url.slice(0, at)
}
