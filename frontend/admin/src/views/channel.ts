import '../parts/history-list.ts'
import '../parts/live-tail.ts'
import '../parts/member-list.ts'
import '../parts/settings-form.ts'
import { LitElement, css, html, nothing } from 'lit'
import { customElement, property, state } from 'lit/decorators.js'
import { base } from '../parts/style.ts'
import { named, timeTag } from '../parts/user-text.ts'
import * as api from '../services/api.ts'
import { inBackground } from '../services/background.ts'
import { counted } from '../services/format.ts'
import { linkTo } from '../services/routes.ts'
import { Refresh } from '../services/watch.ts'
import type { PropertyValues } from 'lit'
import type { ChannelInfo } from '../services/api.ts'

const REFRESH_SECONDS = 5
/** A burst of events causes only one reload of the history. */
const READ_DELAY_MS = 250

/** One channel: its events, history, members and settings. */
@customElement('cs-channel')
export class Channel extends LitElement {
  @property({ attribute: false }) name = ''
  /** Undefined until loaded. */
  @state() private channel: ChannelInfo | undefined
  @state() private isMissing = false
  @state() private fault: string | undefined
  #readTimer: ReturnType<typeof setTimeout> | undefined

  constructor() {
    super()
    new Refresh(this, REFRESH_SECONDS, () => inBackground(this.#read()))
  }

  static override styles = [
    base,
    css`
      .top {
        display: flex;
        flex-wrap: wrap;
        gap: 4px 16px;
        align-items: flex-start;
        margin-bottom: 16px;
      }
      .top > div {
        min-width: 0;
        flex: 1 1 240px;
      }
      .columns {
        display: grid;
        grid-template-columns: minmax(0, 1fr) 340px;
        gap: 16px;
        align-items: start;
      }
      .stack {
        display: grid;
        gap: 16px;
        min-width: 0;
      }
      @media (max-width: 900px) {
        .columns {
          grid-template-columns: minmax(0, 1fr);
        }
      }
    `,
  ]

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    clearTimeout(this.#readTimer)
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (!changed.has('name')) return
    this.channel = undefined
    this.isMissing = false
    inBackground(this.#read())
  }

  override render() {
    const { channel, name } = this
    return html`<div class="top">
        <div>
          <p class="small"><a href=${linkTo.channels}>Channels</a></p>
          <h1 tabindex="-1">${named(name)}</h1>
          <p class="quiet small" id="summary">${this.#summary()}</p>
        </div>
        <a class="button" href=${linkTo.sendTo(name)}>Send a message</a>
      </div>
      ${this.fault === undefined ? nothing : html`<p class="fault" role="alert">${this.fault}</p>`}
      <div class="columns">
        <div class="stack">
          <cs-live-tail .name=${name} @received=${this.#readSoon}></cs-live-tail>
          <cs-history-list
            .items=${channel?.history ?? (this.isMissing ? [] : undefined)}
            .isKept=${channel?.settings.store_history ?? true}
            @changed=${this.#readSoon}
          ></cs-history-list>
        </div>
        <div class="stack">
          ${
            channel
              ? html`<section class="box" aria-labelledby="settings">
                  <header><h2 id="settings">Settings</h2></header>
                  <cs-settings-form
                    .name=${name}
                    .settings=${channel.settings}
                    @saved=${this.#readSoon}
                  ></cs-settings-form>
                </section>`
              : nothing
          }
          <cs-member-list .name=${name}></cs-member-list>
        </div>
      </div>`
  }

  #summary() {
    const { channel } = this
    if (this.isMissing) return 'Channel not found. It may no longer exist.'
    if (!channel) return this.fault === undefined ? 'Loading…' : nothing
    const connections = counted(channel.total_connections, 'connection')
    return html`${connections}, last active ${timeTag(channel.last_active)}`
  }

  readonly #readSoon = (): void => {
    this.#readTimer ??= setTimeout(() => {
      this.#readTimer = undefined
      inBackground(this.#read())
    }, READ_DELAY_MS)
  }

  async #read(): Promise<void> {
    const { name } = this
    try {
      const channel = await api.channel(name)
      if (name !== this.name) return
      this.channel = channel
      this.isMissing = channel === undefined
      this.fault = undefined
    } catch (error) {
      this.fault = error instanceof Error ? error.message : String(error)
    }
  }
}
