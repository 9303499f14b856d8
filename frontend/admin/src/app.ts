import './views/channel.ts'
import './views/channels.ts'
import './views/overview.ts'
import './views/send.ts'
import './views/user.ts'
import './views/users.ts'
import { LitElement, css, html, nothing } from 'lit'
import { customElement, state } from 'lit/decorators.js'
import icon from '../icon.svg'
import { base } from './parts/style.ts'
import { BASE } from './services/api.ts'
import { inBackground } from './services/background.ts'
import { live } from './services/live.ts'
import { visible } from './services/names.ts'
import { linkTo, routeOf } from './services/routes.ts'
import { Watch } from './services/watch.ts'
import type { Route } from './services/routes.ts'

const TABS = [
  { title: 'Overview', link: linkTo.overview, views: ['overview'] },
  { title: 'Channels', link: linkTo.channels, views: ['channels', 'channel'] },
  { title: 'Users', link: linkTo.users, views: ['users', 'user'] },
  { title: 'Send', link: linkTo.send, views: ['send'] },
]

const CONNECTION = { connecting: 'Connecting', live: 'Live', lost: 'Reconnecting' }

/** The layout around every view: navigation, and the state of the live connection. */
@customElement('cs-app')
export class App extends LitElement {
  @state() private route: Route = routeOf(location.hash)

  constructor() {
    super()
    new Watch(this, ['connection'])
  }

  static override styles = [
    base,
    css`
      .bar {
        position: sticky;
        top: 0;
        z-index: 5;
        background: var(--surface);
        border-bottom: 1px solid var(--line);
      }
      .inner {
        display: flex;
        align-items: center;
        gap: 4px 24px;
        max-width: 1200px;
        min-height: 52px;
        margin: 0 auto;
        padding: 0 24px;
      }
      .brand {
        display: flex;
        align-items: center;
        gap: 8px;
        font-weight: 700;
        letter-spacing: -0.01em;
      }
      nav {
        display: flex;
        align-self: stretch;
        gap: 4px;
      }
      nav a {
        display: flex;
        align-items: center;
        padding: 0 12px;
        color: var(--quiet);
        font-weight: 550;
        text-decoration: none;
        border-bottom: 2px solid transparent;
        border-top: 2px solid transparent;
      }
      nav a:hover,
      nav a[aria-current] {
        color: var(--text);
      }
      nav a[aria-current] {
        border-bottom-color: var(--accent);
      }
      nav a:focus-visible {
        outline-offset: -3px;
      }
      .state {
        display: inline-flex;
        align-items: center;
        gap: 8px;
        font-size: 13px;
        color: var(--quiet);
      }
      .state::before {
        content: '';
        inline-size: 8px;
        block-size: 8px;
        border-radius: 50%;
        background: var(--warn);
      }
      .state.live::before {
        background: var(--good);
      }
      .notice {
        padding: 8px 24px;
        text-align: center;
        background: light-dark(#fff4db, #362a10);
        color: light-dark(#5c3d00, #f3d597);
      }
      form {
        display: block;
      }
      main {
        max-width: 1200px;
        margin: 0 auto;
        padding: 24px;
      }
      .skip {
        position: absolute;
        inset-inline-start: -999px;
      }
      .skip:focus {
        inset: 8px auto auto 8px;
        z-index: 9;
        padding: 8px 12px;
        background: var(--surface);
      }
      @media (max-width: 640px) {
        .inner {
          display: grid;
          grid-template-columns: minmax(0, 1fr) auto auto;
          gap: 4px 12px;
          padding: 8px 16px 0;
        }
        .brand {
          overflow: clip;
        }
        nav {
          grid-area: 2 / 1 / 3 / -1;
          margin: 0 -16px;
        }
        nav a {
          flex: 1;
          justify-content: center;
          min-height: 44px;
        }
        main {
          padding: 16px;
        }
      }
    `,
  ]

  override connectedCallback(): void {
    super.connectedCallback()
    addEventListener('hashchange', this.#onHash)
    inBackground(live.open())
    this.#setTitle()
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    removeEventListener('hashchange', this.#onHash)
  }

  override render() {
    const { connection } = live
    return html`<a class="skip" href="#" @click=${this.#skip}>Skip to content</a>
      <div class="bar">
        <header class="inner">
          <span class="brand"><img src=${icon} alt="" width="22" height="22" />Channelstream</span>
          <nav aria-label="Sections">
            ${TABS.map(
              ({ title, link, views }) =>
                html`<a
                  href=${link}
                  aria-current=${views.includes(this.route.view) ? 'page' : nothing}
                  >${title}</a
                >`,
            )}
          </nav>
          <span class="state spread ${connection}" role="status">${CONNECTION[connection]}</span>
          <form method="post" action="${BASE}/admin/sign_out"><button>Sign out</button></form>
        </header>
      </div>
      ${
        connection === 'lost'
          ? html`<p class="notice">
              The server cannot be reached. The data shown may be outdated. Retrying…
            </p>`
          : ''
      }
      <main id="main">${this.#view()}</main>`
  }

  #view() {
    const { route } = this
    switch (route.view) {
      case 'overview':
        return html`<cs-overview></cs-overview>`
      case 'channels':
        return html`<cs-channels></cs-channels>`
      case 'channel':
        return html`<cs-channel .name=${route.name}></cs-channel>`
      case 'users':
        return html`<cs-users></cs-users>`
      case 'user':
        return html`<cs-user .name=${route.name}></cs-user>`
      case 'send':
        return html`<cs-send .channel=${route.channel}></cs-send>`
      case 'unknown':
        return html`<h1 tabindex="-1">Page not found</h1>
          <p><a href=${linkTo.overview}>Go to the overview</a></p>`
      default:
        return route satisfies never
    }
  }

  readonly #onHash = (): void => {
    this.route = routeOf(location.hash)
    this.#setTitle()
    scrollTo(0, 0)
    inBackground(this.updateComplete.then(() => this.#focusHeading()))
  }

  readonly #skip = (clicking: Event): void => {
    clicking.preventDefault()
    inBackground(this.#focusHeading())
  }

  /** Moves the focus to the heading, so that screen readers announce the new view. */
  async #focusHeading(): Promise<void> {
    const view = this.renderRoot.querySelector('main > *')
    if (view instanceof LitElement) await view.updateComplete
    const heading = view?.shadowRoot?.querySelector('h1') ?? view
    if (heading instanceof HTMLElement) heading.focus()
  }

  #setTitle(): void {
    const { route } = this
    const name = 'name' in route ? visible(route.name) : route.view
    document.title = `${name.charAt(0).toUpperCase()}${name.slice(1)} · Channelstream`
  }
}
