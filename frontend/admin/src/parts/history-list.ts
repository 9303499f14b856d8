import './dialog.ts'
import { LitElement, css, html, nothing } from 'lit'
import { customElement, property, query, state } from 'lit/decorators.js'
import { join } from 'lit/directives/join.js'
import { repeat } from 'lit/directives/repeat.js'
import * as api from '../services/api.ts'
import { count } from '../services/format.ts'
import { readJson } from '../services/json.ts'
import { messageStyle } from './message-style.ts'
import { base } from './style.ts'
import { asJson, messageText, named, timeTag } from './user-text.ts'
import type { HistoryItem } from '../services/api.ts'
import type { Dialog } from './dialog.ts'

/** The stored messages of a channel, newest first, each of which can be changed or taken away. */
@customElement('cs-history-list')
export class HistoryList extends LitElement {
  /** Undefined until it is read. */
  @property({ attribute: false }) items: readonly HistoryItem[] | undefined
  @property({ attribute: false }) isKept = true
  @state() private chosen: HistoryItem | undefined
  @query('#edit') private readonly editDialog!: Dialog
  @query('#delete') private readonly deleteDialog!: Dialog
  @query('textarea') private readonly draft!: HTMLTextAreaElement

  static override styles = [
    base,
    messageStyle,
    css`
      .actions {
        margin-inline-start: auto;
        display: flex;
        gap: 8px;
      }
      .actions button {
        min-height: max(28px, var(--tap));
        padding: 0 8px;
        font-size: 12px;
      }
      textarea {
        min-height: 160px;
        font-family: var(--mono);
        font-size: 13px;
      }
      blockquote {
        margin: 12px 0 0;
        padding: 8px 12px;
        max-block-size: 200px;
        overflow: auto;
        background: var(--ground);
        border-radius: 6px;
      }
    `,
  ]

  override render() {
    const newestFirst = [...(this.items ?? [])].reverse()
    return html`<section class="box" aria-labelledby="heading">
        <header>
          <h2 id="heading">History</h2>
          <span class="quiet small"
            >${this.items ? `${count(this.items.length)} kept` : nothing}</span
          >
        </header>
        ${
          newestFirst.length === 0
            ? html`<p class="empty">${this.#emptyText()}</p>`
            : html`<ol tabindex="0" aria-label="Messages, newest first">
                ${repeat(
                  newestFirst,
                  ({ id }) => id,
                  (item) => this.#item(item),
                )}
              </ol>`
        }
      </section>
      <cs-dialog
        id="edit"
        .heading=${'Edit the message'}
        .verb=${'Save'}
        .act=${async () => {
          if (this.chosen) await api.edit(this.chosen, messageOf(this.draft.value))
          this.#changed()
        }}
      >
        <label class="field">
          <span>Message, as JSON</span>
          <textarea spellcheck="false"></textarea>
        </label>
      </cs-dialog>
      <cs-dialog
        id="delete"
        .heading=${'Delete the message?'}
        .verb=${'Delete'}
        .isGrave=${true}
        .act=${async () => {
          if (this.chosen) await api.remove(this.chosen)
          this.#changed()
        }}
      >
        <p>It goes from the history, and clients that have it are told.</p>
        ${
          this.chosen
            ? html`<blockquote class="wrap">${messageText(this.chosen.message)}</blockquote>`
            : nothing
        }
      </cs-dialog>`
  }

  #emptyText(): string {
    if (!this.items) return '…'
    return this.isKept
      ? 'No messages yet.'
      : 'This channel keeps no messages. store_history turns it on.'
  }

  #item(item: HistoryItem) {
    return html`<li>
      <div class="meta">
        <span class="who">${named(item.user)}</span>
        <span class="quiet small">${timeTag(item.timestamp)}</span>
        ${item.edited === null ? nothing : html`<span class="tag">edited</span>`}
        ${
          item.pm_users.length === 0
            ? nothing
            : html`<span class="tag">only for ${join(item.pm_users.map(named), ', ')}</span>`
        }
        <span class="actions">
          <button type="button" @click=${() => this.#ask(item, this.editDialog)}>Edit</button>
          <button type="button" class="grave" @click=${() => this.#ask(item, this.deleteDialog)}>
            Delete
          </button>
        </span>
      </div>
      <div class="what wrap">${messageText(item.message)}</div>
    </li>`
  }

  #ask(item: HistoryItem, dialog: Dialog): void {
    this.chosen = item
    this.draft.value = asJson(item.message ?? {})
    dialog.open()
  }

  #changed(): void {
    this.dispatchEvent(new Event('changed'))
  }
}

function messageOf(json: string): unknown {
  try {
    return readJson(json)
  } catch (error) {
    throw new Error(`This is not JSON: ${error instanceof Error ? error.message : ''}`, {
      cause: error,
    })
  }
}
