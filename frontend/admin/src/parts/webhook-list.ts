import { LitElement, css, html, nothing } from 'lit'
import { customElement, state } from 'lit/decorators.js'
import * as api from '../services/api.ts'
import { inBackground } from '../services/background.ts'
import { count, counted, moment } from '../services/format.ts'
import { visible } from '../services/names.ts'
import { Refresh } from '../services/watch.ts'
import { base } from './style.ts'
import type { WebhookRow } from '../services/api.ts'

const REPORTS_BETWEEN = 5

const at = (time: number): string => moment(new Date(time))

/** The webhooks of the server, if it has any: what waits for each, and its last failure. */
@customElement('cs-webhook-list')
export class WebhookList extends LitElement {
  @state() private rows: readonly WebhookRow[] = []

  constructor() {
    super()
    new Refresh(this, REPORTS_BETWEEN, () => inBackground(this.#load()))
  }

  static override styles = [
    base,
    css`
      h2 {
        margin: 24px 0 12px;
      }
      ul {
        display: grid;
        gap: 12px;
        margin: 0;
        padding: 0;
        list-style: none;
      }
      li {
        display: grid;
        gap: 4px;
        padding: 12px 16px;
        min-width: 0;
      }
      .endpoint {
        overflow-wrap: anywhere;
      }
      .failure {
        color: var(--danger);
        overflow-wrap: anywhere;
      }
    `,
  ]

  override connectedCallback(): void {
    super.connectedCallback()
    inBackground(this.#load())
  }

  override render() {
    if (this.rows.length === 0) return nothing
    return html`<h2>Webhooks</h2>
      <ul>
        ${this.rows.map(
          (row) =>
            html`<li class="box">
              <span class="endpoint mono">${visible(row.endpoint)}</span>
              <span>${this.#queue(row)}</span>
              ${this.#failure(row)}
            </li>`,
        )}
      </ul>`
  }

  #queue({ queued, dropped, last_success_at }: WebhookRow): string {
    const parts = [
      queued === 0 ? 'Nothing waits' : `${counted(queued, 'event')} waiting`,
      ...(dropped > 0 ? [`${count(dropped)} dropped`] : []),
      last_success_at === null ? 'no success yet' : `last success ${at(last_success_at)}`,
    ]
    return parts.join(', ')
  }

  #failure({ failures, last_error, last_error_at }: WebhookRow) {
    if (last_error === null || last_error_at === null) return nothing
    const text = `${visible(last_error)}, ${at(last_error_at)}`
    return failures > 0
      ? html`<span class="failure" role="status"
          >Failing (${counted(failures, 'request')}): ${text}</span
        >`
      : html`<span class="quiet small">Last failure: ${text}</span>`
  }

  async #load(): Promise<void> {
    try {
      this.rows = (await api.webhooks()).webhooks
    } catch (error) {
      // The page shows that the server cannot be reached; the next report tries again.
      if (!(error instanceof api.ApiError)) throw error
    }
  }
}
