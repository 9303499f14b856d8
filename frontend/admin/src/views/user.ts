import '../parts/dialog.ts'
import { LitElement, css, html, nothing } from 'lit'
import { customElement, property, query, state } from 'lit/decorators.js'
import { base } from '../parts/style.ts'
import { asJson, named } from '../parts/user-text.ts'
import * as api from '../services/api.ts'
import { inBackground } from '../services/background.ts'
import { count, counted } from '../services/format.ts'
import { isExactNumber, readJson } from '../services/json.ts'
import { visible } from '../services/names.ts'
import { linkTo } from '../services/routes.ts'
import { Refresh } from '../services/watch.ts'
import type { PropertyValues } from 'lit'
import type { Dialog } from '../parts/dialog.ts'
import type { Scalar, UserRow } from '../services/api.ts'

const REFRESH_SECONDS = 3

/** One user: state and connections. Each connection can be ended. */
@customElement('cs-user')
export class User extends LitElement {
  @property({ attribute: false }) name = ''
  /** Undefined until loaded. */
  @state() private user: UserRow | undefined
  @state() private isMissing = false
  @state() private fault: string | undefined
  /** Why setting the state failed. */
  @state() private stateError: string | undefined
  @state() private isSaving = false
  /** The connections that the dialog asks about. */
  @state() private selected: readonly string[] = []
  @query('cs-dialog') private readonly dialog!: Dialog

  constructor() {
    super()
    new Refresh(this, REFRESH_SECONDS, () => inBackground(this.#read()))
  }

  static override styles = [
    base,
    css`
      .top {
        margin-bottom: 16px;
      }
      .columns {
        display: grid;
        grid-template-columns: minmax(0, 1fr) minmax(0, 1fr);
        gap: 16px;
        align-items: start;
      }
      @media (max-width: 900px) {
        .columns {
          grid-template-columns: minmax(0, 1fr);
        }
      }
      ul,
      dl {
        margin: 0;
        padding: 0;
        list-style: none;
        max-block-size: 420px;
        overflow: hidden auto;
      }
      li,
      dl > div {
        display: flex;
        flex-wrap: wrap;
        gap: 4px 16px;
        align-items: center;
        padding: 8px 16px;
        border-bottom: 1px solid var(--line);
      }
      li:last-child {
        border-bottom: 0;
      }
      li button {
        margin-inline-start: auto;
        min-height: max(28px, var(--tap));
        font-size: 12px;
      }
      dt {
        flex: 0 1 180px;
        font-weight: 600;
        overflow-wrap: anywhere;
        min-width: 0;
      }
      dd {
        flex: 1 1 160px;
        min-width: 0;
        unicode-bidi: isolate;
      }
      dd.small {
        flex: none;
      }
      form {
        grid-template-columns: minmax(0, 1fr) minmax(0, 1fr) auto;
        gap: 8px 12px;
        align-items: end;
        padding: 12px 16px;
      }
      form button {
        min-height: max(36px, var(--tap));
      }
      form p {
        grid-column: 1 / -1;
      }
    `,
  ]

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (!changed.has('name')) return
    this.user = undefined
    this.isMissing = false
    inBackground(this.#read())
  }

  override render() {
    return html`<div class="top">
        <p class="small"><a href=${linkTo.users}>Users</a></p>
        <h1 tabindex="-1">${named(this.name)}</h1>
        <p class="quiet small">${this.#summary()}</p>
        ${this.fault === undefined ? nothing : html`<p class="fault" role="alert">${this.fault}</p>`}
      </div>
      ${this.user ? html`<div class="columns">${this.#state(this.user)}${this.#connections(this.user)}</div>` : nothing}
      <cs-dialog
        .heading=${this.selected.length === 1 ? 'End this connection?' : `End ${counted(this.selected.length, 'connection')}?`}
        .verb=${'Disconnect'}
        .isDestructive=${true}
        .act=${this.#disconnect}
      >
        <p>
          ${
            this.selected.length === 1
              ? 'The client must get a new connection from its backend.'
              : 'The clients must get new connections from their backend.'
          }
        </p>
      </cs-dialog>`
  }

  #summary() {
    if (this.isMissing) return 'User not found. It may no longer exist.'
    if (!this.user) return 'Loading…'
    return counted(this.user.total_connections, 'connection')
  }

  #state({ state: entries, public_keys: publicKeys }: UserRow) {
    const keys = Object.keys(entries)
    return html`<section class="box" aria-labelledby="state">
      <header>
        <h2 id="state">State</h2>
      </header>
      ${
        keys.length === 0
          ? html`<p class="empty">No state.</p>`
          : html`<dl>
              ${keys.map(
                (key) =>
                  html`<div>
                    <dt>${named(key)}</dt>
                    <dd class="mono wrap">${visible(asJson(entries[key]))}</dd>
                    <dd class="quiet small">${publicKeys.includes(key) ? 'public' : 'private'}</dd>
                  </div>`,
              )}
            </dl>`
      }
      <form @submit=${this.#setState}>
        <label class="field"
          ><span>Key</span><input name="key" required autocomplete="off"
        /></label>
        <label class="field"
          ><span>Value</span><input name="value" autocomplete="off" placeholder="text or JSON"
        /></label>
        <button ?disabled=${this.isSaving}>Set</button>
        ${this.stateError === undefined ? nothing : html`<p class="fault" role="alert">${this.stateError}</p>`}
      </form>
    </section>`
  }

  #connections({ connections, total_connections: total }: UserRow) {
    return html`<section class="box" aria-labelledby="connections">
      <header>
        <h2 id="connections">Connections</h2>
        <span class="quiet small">
          ${total > connections.length ? `${connections.length} of ${count(total)}` : count(total)}
        </span>
        ${
          connections.length > 1
            ? html`<button
                class="danger spread"
                type="button"
                @click=${() => this.#openDialog(connections)}
              >
                Disconnect all
              </button>`
            : nothing
        }
      </header>
      ${
        connections.length === 0
          ? html`<p class="empty">Not connected.</p>`
          : html`<ul>
              ${connections.map(
                (id) =>
                  html`<li>
                    <span class="mono wrap">${id}</span>
                    <button
                      class="danger"
                      type="button"
                      aria-label="Disconnect ${id}"
                      @click=${() => this.#openDialog([id])}
                    >
                      Disconnect
                    </button>
                  </li>`,
              )}
            </ul>`
      }
    </section>`
  }

  #openDialog(connections: readonly string[]): void {
    this.selected = connections
    this.dialog.open()
  }

  readonly #disconnect = async (): Promise<void> => {
    await Promise.all(this.selected.map((id) => api.disconnect(id)))
    await this.#read()
  }

  readonly #setState = async (submitting: SubmitEvent): Promise<void> => {
    submitting.preventDefault()
    const form = submitting.target as HTMLFormElement
    const given = new FormData(form)
    this.isSaving = true
    this.stateError = undefined
    try {
      await api.setState(
        this.name,
        given.get('key') as string,
        valueOf(given.get('value') as string),
      )
      form.reset()
      await this.#read()
    } catch (error) {
      this.stateError = error instanceof Error ? error.message : String(error)
    } finally {
      this.isSaving = false
    }
  }

  async #read(): Promise<void> {
    const { name } = this
    try {
      const { rows } = await api.users({ user: name })
      if (name !== this.name) return
      this.user = rows[0]
      this.isMissing = rows.length === 0
      this.fault = undefined
    } catch (error) {
      this.fault = error instanceof Error ? error.message : String(error)
    }
  }
}

/** Parses a number, true, false or null; returns any other text unchanged. */
function valueOf(text: string): Scalar {
  try {
    const value = readJson(text)
    const isText = typeof value === 'object' && value !== null && !isExactNumber(value)
    return isText ? text : (value as Scalar)
  } catch {
    return text
  }
}
