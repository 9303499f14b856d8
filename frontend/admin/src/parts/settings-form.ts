import { LitElement, css, html, nothing } from 'lit'
import { customElement, property, state } from 'lit/decorators.js'
import * as api from '../services/api.ts'
import { base } from './style.ts'
import type { ChannelSettings } from '../services/api.ts'

type Switch = {
  [Key in keyof ChannelSettings]: ChannelSettings[Key] extends boolean ? Key : never
}[keyof ChannelSettings]

const SWITCHES: readonly { readonly key: Switch; readonly title: string; readonly note: string }[] =
  [
    { key: 'notify_presence', title: 'Announce joins and leaves', note: 'notify_presence' },
    {
      key: 'broadcast_presence_with_user_lists',
      title: 'Include the user list',
      note: 'broadcast_presence_with_user_lists',
    },
    { key: 'notify_state', title: 'Announce state changes', note: 'notify_state' },
    { key: 'store_history', title: 'Store messages in the history', note: 'store_history' },
    { key: 'store_frames', title: 'Keep events for reconnecting clients', note: 'store_frames' },
  ]

type Amount = Exclude<keyof ChannelSettings, Switch>

const AMOUNTS: readonly { readonly key: Amount; readonly title: string }[] = [
  { key: 'history_size', title: 'Messages to keep' },
  { key: 'history_ttl', title: 'Seconds to keep them (0: no limit)' },
]

/** The settings of a channel. Unsaved edits are kept until saved or undone, even when new settings arrive. */
@customElement('cs-settings-form')
export class SettingsForm extends LitElement {
  @property({ attribute: false }) name = ''
  @property({ attribute: false }) settings: ChannelSettings | undefined
  @state() private edited: ChannelSettings | undefined
  @state() private isBusy = false
  @state() private outcome: { readonly text: string; readonly isFault: boolean } | undefined

  static override styles = [
    base,
    css`
      form {
        padding: 16px;
        gap: 12px;
      }
      .choice span {
        display: grid;
      }
      code {
        font-family: var(--mono);
        font-size: 11px;
        color: var(--quiet);
        overflow-wrap: anywhere;
      }
      .field input {
        inline-size: 120px;
      }
    `,
  ]

  override render() {
    const shown = this.edited ?? this.settings
    if (!shown) return nothing
    const isChanged = this.edited !== undefined
    return html`<form @submit=${this.#save}>
      ${SWITCHES.map(
        ({ key, title, note }) =>
          html`<label class="choice">
            <input
              type="checkbox"
              name=${key}
              .checked=${shown[key]}
              @change=${(event: Event) =>
                this.#change({ [key]: (event.target as HTMLInputElement).checked })}
            />
            <span>${title}<code>${note}</code></span>
          </label>`,
      )}
      ${AMOUNTS.map(
        ({ key, title }) =>
          html`<label class="field">
            <span>${title}</span>
            <input
              type="number"
              name=${key}
              min="0"
              step="1"
              required
              .value=${String(shown[key])}
              @input=${(event: Event) =>
                this.#change({ [key]: (event.target as HTMLInputElement).valueAsNumber })}
            />
            <code>${key}</code>
          </label>`,
      )}
      <div class="row">
        <button class="first" ?disabled=${!isChanged || this.isBusy}>Save settings</button>
        <button type="button" ?hidden=${!isChanged} @click=${this.#undo}>Undo</button>
        <span role="status" class=${this.outcome?.isFault ? 'fault' : 'quiet'}
          >${this.outcome?.text ?? ''}</span
        >
      </div>
    </form>`
  }

  #change(change: Partial<ChannelSettings>): void {
    const shown = this.edited ?? this.settings
    if (shown) this.edited = { ...shown, ...change }
    this.outcome = undefined
  }

  readonly #undo = (): void => {
    this.edited = undefined
    this.outcome = undefined
  }

  readonly #save = async (submitting: Event): Promise<void> => {
    submitting.preventDefault()
    if (!this.edited) return
    this.isBusy = true
    try {
      await api.configure(this.name, this.edited)
      this.settings = this.edited
      this.edited = undefined
      this.outcome = { text: 'Saved', isFault: false }
      this.dispatchEvent(new Event('saved'))
    } catch (error) {
      this.outcome = { text: error instanceof Error ? error.message : String(error), isFault: true }
    } finally {
      this.isBusy = false
    }
  }
}
