/** The admin pages: plain HTML, no script. Whatever comes from users is escaped. */
import { createHash } from 'node:crypto'
import { LongRecord } from '../../core/long.ts'
import type { ChannelInfo } from '../../protocol/responses.ts'

const STYLE = `
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 18%, transparent); --mark: #2f6feb; }
* { box-sizing: border-box; }
body { margin: 0; font: 16px/1.5 system-ui, sans-serif; }
header, main { max-width: 62rem; margin: 0 auto; padding: 1rem; }
header { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; align-items: baseline; border-bottom: 1px solid var(--line); }
header strong { font-size: 1.15rem; margin-right: auto; }
a { color: var(--mark); }
h2 { font-size: 1.05rem; margin: 2rem 0 .5rem; }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .75rem; margin: 1rem 0 0; }
dl div { border: 1px solid var(--line); border-radius: .5rem; padding: .6rem .8rem; }
dt { font-size: .85rem; opacity: .75; } dd { margin: 0; font-size: 1.35rem; font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .4rem .75rem .4rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td:first-child { overflow-wrap: anywhere; min-width: 9rem; } td:last-child { white-space: nowrap; } .number { text-align: right; font-variant-numeric: tabular-nums; }
form { max-width: 22rem; margin: 12vh auto 0; display: grid; gap: .75rem; }
label { display: grid; gap: .25rem; }
input, button { font: inherit; padding: .55rem .7rem; border-radius: .4rem; border: 1px solid var(--line); }
button { background: var(--mark); color: #fff; border-color: transparent; cursor: pointer; }
.fault { color: light-dark(#b42318, #ff8a80); margin: 0; }
`

/** Only this style sheet, no script at all, no frame around it, forms to this server. */
export const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  "form-action 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
].join('; ')

export function signInPage(action: string, fault?: string): string {
  return page(
    'Sign in',
    `<main><form method="post" action="${escapeHtml(action)}">
<h1>Channelstream</h1>
${fault ? `<p class="fault" role="alert">${escapeHtml(fault)}</p>` : ''}
<label>User <input name="username" autocomplete="username" required autofocus></label>
<label>Password <input name="password" type="password" autocomplete="current-password" required></label>
<button>Sign in</button>
</form></main>`,
  )
}

export interface Overview {
  readonly remembered_user_count: number
  readonly unique_user_count: number
  readonly total_connections: number
  readonly total_channels: number
  readonly total_messages: number
  readonly total_unique_messages: number
  readonly uptime: string
  readonly version: string
  readonly channels: Readonly<Record<string, ChannelInfo>> | LongRecord
}

const MAX_ROWS = 200

export function overviewPage(overview: Overview, prefix: string): string {
  const figures = [
    ['Connections', overview.total_connections],
    ['Users connected', overview.unique_user_count],
    ['Users remembered', overview.remembered_user_count],
    ['Channels', overview.total_channels],
    ['Messages posted', overview.total_unique_messages],
    ['Deliveries', overview.total_messages],
    ['Up for', overview.uptime],
    ['Version', overview.version],
  ] as const
  const tiles = figures.map(
    ([name, value]) => `<div><dt>${name}</dt><dd>${escapeHtml(String(value))}</dd></div>`,
  )
  const link = (path: string, text: string): string =>
    `<a href="${escapeHtml(prefix)}${path}">${text}</a>`
  return page(
    'Admin',
    `<header><strong>Channelstream</strong>${link('/admin', 'Refresh')}${link('/admin/admin.json', 'JSON')}
${link('/api-explorer', 'API explorer')}${link('/admin/sign_out', 'Sign out')}</header>
<main><dl>${tiles.join('')}</dl>${channelTable(overview.channels)}</main>`,
  )
}

function channelTable(described: Overview['channels']): string {
  if (described instanceof LongRecord)
    return '<h2>Channels</h2><p>Too many to list; admin.json has them.</p>'
  const channels = Object.values(described)
  if (channels.length === 0) return '<h2>Channels</h2><p>No channels yet.</p>'
  const rows = channels.slice(0, MAX_ROWS).map(
    (
      channel,
    ) => `<tr><td>${escapeHtml(channel.name)}</td><td class="number">${channel.total_connections}</td>
<td class="number">${channel.total_users}</td><td class="number">${channel.history.length}</td>
<td>${escapeHtml(channel.last_active.slice(0, 19).replace('T', ' '))}</td></tr>`,
  )
  const more = channels.length - rows.length
  return `<h2>Channels</h2><div class="wide"><table><thead><tr><th>Name</th><th class="number">Connections</th>
<th class="number">Users</th><th class="number">History</th><th>Last active (UTC)</th></tr></thead>
<tbody>${rows.join('')}</tbody></table></div>${more > 0 ? `<p>and ${more} more, in admin.json</p>` : ''}`
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
