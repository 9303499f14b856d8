/**
 * The API explorer: Swagger UI that signs each request in the browser.
 *
 * The secret stays in its field. It is never stored or sent. Only a signature is sent, which is valid for one minute.
 */
import { ChannelstreamSigner } from '../client/signer.ts'

/** The parts used here. See https://swagger.io/docs/open-source-tools/swagger-ui/usage/configuration/ */
declare const SwaggerUIBundle: {
  (configuration: object): void
  readonly presets: { readonly apis: unknown }
}

interface Request {
  url: string
  headers: Record<string, string>
  readonly loadSpec?: boolean
}

const HEADER = 'x-channelstream-secret'
/** The base URL of the server's paths, which may have a prefix behind a proxy. */
const BASE = new URL('..', location.href)

const ADVICE: Readonly<Record<number, string>> = {
  401: '401: The signature is invalid. Is this the server’s secret, and are the clocks in sync?',
  403:
    '403: The request was not signed, or it came from an IP address that is not allowed. Signed requests are accepted ' +
    'only from the addresses in allow_posting_from (127.0.0.1 by default). This includes requests from this browser.',
}

const find = <Kind extends HTMLElement>(id: string): Kind => document.getElementById(id) as Kind
const secret = find<HTMLInputElement>('secret')

/** Signs a request to the server. The signed value is the path, which is valid with every `signature_scope`. */
function sign(request: Request): Request {
  const url = new URL(request.url, location.href)
  const isForServer = url.origin === BASE.origin && url.pathname.startsWith(BASE.pathname)
  if (request.loadSpec || secret.value === '' || !isForServer) return request
  const path = url.pathname.slice(BASE.pathname.length - 1)
  request.headers[HEADER] = new ChannelstreamSigner(secret.value).sign(path)
  return request
}

function showAdvice<Response extends { readonly status: number }>(response: Response): Response {
  find('advice').textContent = ADVICE[response.status] ?? ''
  return response
}

function showSigningState(): void {
  find('signed').textContent =
    secret.value === ''
      ? 'Requests are not signed. The secret stays in this field. It is never stored or sent.'
      : 'Each request is signed in this browser.'
}

/** Swagger UI switches to its dark colours by a class. */
function followColourScheme(): void {
  const dark = matchMedia('(prefers-color-scheme: dark)')
  const follow = (): void =>
    void document.documentElement.classList.toggle('dark-mode', dark.matches)
  dark.addEventListener('change', follow)
  follow()
}

/** Labels the fields that Swagger UI leaves unlabelled, and makes scrollable blocks reachable by keyboard. */
function fixAccessibility(): void {
  const fix = (): void => {
    for (const field of document.querySelectorAll('#explorer :is(textarea, select, input)'))
      if (!field.hasAttribute('aria-label')) field.setAttribute('aria-label', labelOf(field))
    for (const block of document.querySelectorAll('#explorer pre'))
      block.setAttribute('tabindex', '0')
  }
  new MutationObserver(fix).observe(find('explorer'), { childList: true, subtree: true })
}

function labelOf(field: Element): string {
  const name = field.closest('tr')?.querySelector('.parameter__name')?.firstChild?.textContent
  if (name) return name
  if (field.matches('textarea')) return 'Request body'
  return field.matches('select') ? 'Media type' : 'Value'
}

followColourScheme()
showSigningState()
fixAccessibility()
secret.addEventListener('input', showSigningState)
find('signing').addEventListener('submit', (event) => event.preventDefault())
SwaggerUIBundle({
  url: new URL('json', location.href).href,
  domNode: find('explorer'),
  presets: [SwaggerUIBundle.presets.apis],
  requestInterceptor: sign,
  responseInterceptor: showAdvice,
  tryItOutEnabled: true,
  // Its colours do not have enough contrast.
  syntaxHighlight: { activated: false },
  displayRequestDuration: true,
  defaultModelsExpandDepth: 0,
  validatorUrl: null,
})
