/** The pages around the admin panel: plain HTML without scripts. All values from users are escaped. */
import { createHash } from 'node:crypto'

/** The same colours as in the panel, `frontend/admin/src/theme.css`. A test compares them. */
const STYLE = `
:root {
  color-scheme: light dark;
  --ground: light-dark(#f6f7f9, #101318);
  --surface: light-dark(#ffffff, #181c23);
  --text: light-dark(#171b22, #e6e9ee);
  --quiet: light-dark(#59626f, #9aa4b2);
  --line: light-dark(#dfe3e8, #2b313b);
  --edge: light-dark(#868f9c, #6b7684);
  --accent: light-dark(#0b5cad, #6cb2f7);
  --on-accent: light-dark(#ffffff, #0b1626);
  --danger: light-dark(#b3261e, #ff8d85);
  --good: light-dark(#1a7f4b, #58c98b);
}
* { box-sizing: border-box; }
body { margin: 0; padding: 1rem; font: 14px/1.5 system-ui, sans-serif; color: var(--text); background: var(--ground); }
main { max-width: 22rem; margin: 14vh auto 0; padding: 1.5rem; background: var(--surface); border: 1px solid var(--line); border-radius: 10px; }
h1 { font-size: 1.15rem; line-height: 1.3; margin: 0; }
h1 + p { color: var(--quiet); margin: .25rem 0 0; }
form { display: grid; gap: 1rem; }
label { display: grid; gap: .25rem; font-weight: 600; }
input, button { font: inherit; min-height: 2.5rem; padding: .4rem .75rem; border-radius: 6px; border: 1px solid var(--edge); color: var(--text); background: var(--surface); }
button { color: var(--on-accent); background: var(--accent); border-color: transparent; font-weight: 600; cursor: pointer; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.fault { color: var(--danger); margin: 0; }
.state { display: flex; align-items: center; gap: .5rem; margin: 1.25rem 0; }
.state::before { content: ''; width: .6rem; height: .6rem; border-radius: 50%; background: var(--good); }
.state.away::before { background: var(--danger); }
ul { list-style: none; margin: 0; padding: 0; border-top: 1px solid var(--line); }
li { border-bottom: 1px solid var(--line); }
li a { display: block; padding: .6rem 0; color: var(--accent); font-weight: 600; text-decoration: none; }
li a:hover { text-decoration: underline; }
li a span { display: block; color: var(--quiet); font-weight: 400; }
ul + p { color: var(--quiet); margin: 1rem 0 0; }
`

/** Allows only this style sheet and forms to this server. Allows no scripts and no framing. */
export const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  "form-action 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
].join('; ')

/** The form goes to the address of the page, with its query and the part after `#`. */
export function signInPage(fault?: string): string {
  return page(
    'Sign in',
    `<main><form method="post">
<div><h1>Channelstream</h1><p>Sign in to the admin panel.</p></div>
${fault ? `<p class="fault" role="alert">${escapeHtml(fault)}</p>` : ''}
<label>User <input name="username" autocomplete="username" required autofocus></label>
<label>Password <input name="password" type="password" autocomplete="current-password" required></label>
<button>Sign in</button>
</form></main>`,
  )
}

/** For browsers that follow a link to `/admin/sign_out`: a link must not sign anybody out. */
export function signOutPage(action: string): string {
  return page(
    'Sign out',
    `<main><form method="post" action="${escapeHtml(action)}">
<div><h1>Channelstream</h1><p>Sign out of the admin panel?</p></div>
<button>Sign out</button>
</form></main>`,
  )
}

interface HomeLink {
  readonly href: string
  readonly title: string
  readonly about: string
}

/** The page at `/`: what this server is, whether it works, and where to go. */
export function homePage(isUp: boolean, links: readonly HomeLink[]): string {
  const items = links.map(
    ({ href, title, about }) =>
      `<li><a href="${escapeHtml(href)}">${escapeHtml(title)}<span>${escapeHtml(about)}</span></a></li>`,
  )
  return page(
    'Realtime server',
    `<main><h1>Channelstream</h1><p>A realtime server. Backends post messages over REST, browsers receive them.</p>
<p class="state${isUp ? '' : ' away'}" role="status">${isUp ? 'The server works.' : 'The store does not answer.'}</p>
<ul>${items.join('')}</ul>
<p>The documentation is in the folder <code>docs</code> of the program.</p></main>`,
  )
}

/** Shows an error in one sentence. */
export function faultPage(fault: string): string {
  return page(
    'Admin',
    `<main><h1>Channelstream</h1><p role="alert">${escapeHtml(fault)}</p></main>`,
  )
}

/** Replaces the panel if it was not built. */
export function notBuiltPage(): string {
  return page(
    'Admin',
    `<main><h1>The admin panel is not built</h1>
<p>Run <code>npm run build</code> where Channelstream is installed, and restart it.</p></main>`,
  )
}

const page = (title: string, body: string): string =>
  `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · Channelstream</title><style>${STYLE}</style></head><body>${body}</body></html>
`

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}
const escapeHtml = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => ENTITIES[character] as string)
