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

/** One user: the state, and the connections, each of which can be ended. */
@customElement('cs-user')
export class User extends LitElement {
  @property({ attribute: false }) name = ''
  /** Undefined until it is read. */
  @state() private user: UserRow | undefined
  @state() private isMissing = false
  @state() private fault: string | undefined
  /** Why the state was not set. */
  @state() private refusal: string | undefined
  @state() private isSaving = false
  /** Connections that the person is asked about. */
  @state() private chosen: readonly string[] = []
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
        .heading=${this.chosen.length === 1 ? 'Disconnect?' : `End ${counted(this.chosen.length, 'connection')}?`}
        .verb=${'Disconnect'}
        .isGrave=${true}
        .act=${this.#disconnect}
      >
        <p>
          ${
            this.chosen.length === 1
              ? 'The client has to ask its backend for a new connection.'
              : 'The clients have to ask their backend for new connections.'
          }
        </p>
      </cs-dialog>`
  }

  #summary() {
    if (this.isMissing) return 'The server knows no such user, or not any more.'
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
                    <dd class="quiet small">
                      ${publicKeys.includes(key) ? 'others may see it' : 'private'}
                    </dd>
                  </div>`,
              )}
            </dl>`
      }
      <form @submit=${this.#setState}>
        <label class="field"
          ><span>Key</span><input name="key" required autocomplete="off"
        /></label>
        <label class="field"
          ><span>Value</span><input name="value" autocomplete="off" placeholder="text, or JSON"
        /></label>
        <button ?disabled=${this.isSaving}>Set</button>
        ${this.refusal === undefined ? nothing : html`<p class="fault" role="alert">${this.refusal}</p>`}
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
                class="grave spread"
                type="button"
                @click=${() => this.#ask(connections)}
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
                      class="grave"
                      type="button"
                      aria-label="Disconnect ${id}"
                      @click=${() => this.#ask([id])}
                    >
                      Disconnect
                    </button>
                  </li>`,
              )}
            </ul>`
      }
    </section>`
  }

  #ask(connections: readonly string[]): void {
    this.chosen = connections
    this.dialog.open()
  }

  readonly #disconnect = async (): Promise<void> => {
    await Promise.all(this.chosen.map((id) => api.disconnect(id)))
    await this.#read()
  }

  readonly #setState = async (submitting: SubmitEvent): Promise<void> => {
    submitting.preventDefault()
    const form = submitting.target as HTMLFormElement
    const given = new FormData(form)
    this.isSaving = true
    this.refusal = undefined
    try {
      await api.setState(
        this.name,
        given.get('key') as string,
        valueOf(given.get('value') as string),
      )
      form.reset()
      await this.#read()
    } catch (error) {
      this.refusal = error instanceof Error ? error.message : String(error)
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

/** A number, true, false or null if it reads so, else the text itself. */
function valueOf(text: string): Scalar {
  try {
    const value = readJson(text)
    const isText = typeof value === 'object' && value !== null && !isExactNumber(value)
    return isText ? text : (value as Scalar)
  } catch {
    return text
  }
}
