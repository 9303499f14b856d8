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

/** The stored messages of a channel, newest first. Each can be edited or deleted. */
@customElement('cs-history-list')
export class HistoryList extends LitElement {
  /** Undefined until loaded. */
  @property({ attribute: false }) items: readonly HistoryItem[] | undefined
  @property({ attribute: false }) isKept = true
  @state() private selected: HistoryItem | undefined
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
          <span class="quiet small">${this.items ? amountOf(this.items.length) : nothing}</span>
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
        .heading=${'Edit message'}
        .verb=${'Save'}
        .act=${async () => {
          if (this.selected) await api.edit(this.selected, messageOf(this.draft.value))
          this.#changed()
        }}
      >
        <label class="field">
          <span>Message (JSON)</span>
          <textarea spellcheck="false"></textarea>
        </label>
      </cs-dialog>
      <cs-dialog
        id="delete"
        .heading=${'Delete this message?'}
        .verb=${'Delete'}
        .isDestructive=${true}
        .act=${async () => {
          if (this.selected) await api.remove(this.selected)
          this.#changed()
        }}
      >
        <p>The message is removed from the history, and clients are notified.</p>
        ${
          this.selected
            ? html`<blockquote class="wrap">${messageText(this.selected.message)}</blockquote>`
            : nothing
        }
      </cs-dialog>`
  }

  #emptyText(): string {
    if (!this.items) return '…'
    return this.isKept
      ? 'No messages yet.'
      : 'This channel does not store messages. Turn on store_history to store them.'
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
          <button type="button" @click=${() => this.#openDialog(item, this.editDialog)}>
            Edit
          </button>
          <button
            type="button"
            class="danger"
            @click=${() => this.#openDialog(item, this.deleteDialog)}
          >
            Delete
          </button>
        </span>
      </div>
      <div class="what wrap">${messageText(item.message)}</div>
    </li>`
  }

  #openDialog(item: HistoryItem, dialog: Dialog): void {
    this.selected = item
    this.draft.value = asJson(item.message ?? {})
    dialog.open()
  }

  #changed(): void {
    this.dispatchEvent(new Event('changed'))
  }
}

const amountOf = (shown: number): string =>
  shown < api.SHOWN_MESSAGES ? `${count(shown)} stored` : `the newest ${count(shown)}`

function messageOf(json: string): unknown {
  try {
    return readJson(json)
  } catch (error) {
    throw new Error(`Invalid JSON: ${error instanceof Error ? error.message : ''}`, {
      cause: error,
    })
  }
}
