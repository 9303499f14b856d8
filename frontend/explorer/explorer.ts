/**
 * The API explorer: Swagger UI, which signs each request in the browser.
 *
 * The secret stays in its field. It is not stored and not sent: what is sent is a signature, good for a minute.
 */
import { ChannelstreamSigner } from '../client/signer.ts'

/** As far as it is used here, by https://swagger.io/docs/open-source-tools/swagger-ui/usage/configuration/ */
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
/** Where the server's own paths begin: behind a proxy they may have a prefix. */
const BASE = new URL('..', location.href)

const ADVICE: Readonly<Record<number, string>> = {
  401: '401: the signature is not good. Is this the server’s secret, and do the clocks agree?',
  403:
    '403: the request was not signed, or came from an address that may not post. Signed requests count from the ' +
    'addresses of allow_posting_from only (127.0.0.1 by default), also from this browser.',
}

const find = <Kind extends HTMLElement>(id: string): Kind => document.getElementById(id) as Kind
const secret = find<HTMLInputElement>('secret')

/** The value of the signature's text is the path, which is right for each `signature_scope`. */
function sign(request: Request): Request {
  const url = new URL(request.url, location.href)
  const isForServer = url.origin === BASE.origin && url.pathname.startsWith(BASE.pathname)
  if (request.loadSpec || secret.value === '' || !isForServer) return request
  const path = url.pathname.slice(BASE.pathname.length - 1)
  request.headers[HEADER] = new ChannelstreamSigner(secret.value).sign(path)
  return request
}

function advise<Response extends { readonly status: number }>(response: Response): Response {
  find('advice').textContent = ADVICE[response.status] ?? ''
  return response
}

function showWhetherSigned(): void {
  find('signed').textContent =
    secret.value === ''
      ? 'Requests are not signed. The secret stays in this field: nothing stores or sends it.'
      : 'Each request is signed in this browser.'
}

/** Swagger UI has its own colours for the dark, by a class. */
function followColourScheme(): void {
  const dark = matchMedia('(prefers-color-scheme: dark)')
  const follow = (): void =>
    void document.documentElement.classList.toggle('dark-mode', dark.matches)
  dark.addEventListener('change', follow)
  follow()
}

/** Names for fields that Swagger UI leaves without one, and a way for the keyboard to what scrolls. */
function mendAccessibility(): void {
  const mend = (): void => {
    for (const field of document.querySelectorAll('#explorer :is(textarea, select, input)'))
      if (!field.hasAttribute('aria-label')) field.setAttribute('aria-label', labelOf(field))
    for (const block of document.querySelectorAll('#explorer pre'))
      block.setAttribute('tabindex', '0')
  }
  new MutationObserver(mend).observe(find('explorer'), { childList: true, subtree: true })
}

function labelOf(field: Element): string {
  const name = field.closest('tr')?.querySelector('.parameter__name')?.firstChild?.textContent
  if (name) return name
  if (field.matches('textarea')) return 'Body of the request'
  return field.matches('select') ? 'Media type' : 'Value'
}

followColourScheme()
showWhetherSigned()
mendAccessibility()
secret.addEventListener('input', showWhetherSigned)
find('signing').addEventListener('submit', (event) => event.preventDefault())
SwaggerUIBundle({
  url: new URL('json', location.href).href,
  domNode: find('explorer'),
  presets: [SwaggerUIBundle.presets.apis],
  requestInterceptor: sign,
  responseInterceptor: advise,
  tryItOutEnabled: true,
  // Its colours are too faint to be read.
  syntaxHighlight: { activated: false },
  displayRequestDuration: true,
  defaultModelsExpandDepth: 0,
  validatorUrl: null,
})
