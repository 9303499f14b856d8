import { LitElement, css, html, nothing } from 'lit'
import { customElement, property, state } from 'lit/decorators.js'
import { repeat } from 'lit/directives/repeat.js'
import { live } from '../services/live.ts'
import { Watch } from '../services/watch.ts'
import { messageStyle } from './message-style.ts'
import { base } from './style.ts'
import { messageText, named, timeTag } from './user-text.ts'
import type { PropertyValues, TemplateResult } from 'lit'
import type { Event as ChannelEvent } from '../../../../src/protocol/events.ts'

/** The maximum number of events shown. Older ones are dropped. */
const MAX_SHOWN = 200

/** A live view of the events of a channel, newest first. Dispatches `received` when the history may have changed. */
@customElement('cs-live-tail')
export class LiveTail extends LitElement {
  @property({ attribute: false }) name = ''
  @state() private events: readonly ChannelEvent[] = []
  @state() private isPaused = false
  /** Events received since the last animation frame, newest first. At most one render per frame, at any event rate. */
  #incoming: readonly ChannelEvent[] = []
  #scheduledRender: number | undefined
  /** Events received while paused. */
  @state() private held: readonly ChannelEvent[] = []

  constructor() {
    super()
    new Watch(this, ['tail', 'connection'])
  }

  static override styles = [
    base,
    messageStyle,
    css`
      header .row {
        margin-inline-start: auto;
      }
      header button {
        min-height: max(28px, var(--tap));
        padding: 0 10px;
        font-size: 12px;
      }
    `,
  ]

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    if (this.#scheduledRender !== undefined) cancelAnimationFrame(this.#scheduledRender)
    live.untail()
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (!changed.has('name')) return
    this.#clear()
    // After this render: `tail` triggers updates of rendered hosts, including this one.
    queueMicrotask(() => live.tail(this.name, this.#receive))
  }

  override render() {
    const { events, isPaused, held } = this
    return html`<section class="box" aria-labelledby="heading">
      <header>
        <h2 id="heading">Live</h2>
        <span class="quiet small">${this.#stateText()}</span>
        <div class="row">
          <button type="button" aria-pressed=${isPaused} @click=${this.#pause}>
            ${isPaused ? `Resume${held.length > 0 ? ` (${held.length} new)` : ''}` : 'Pause'}
          </button>
          <button type="button" ?disabled=${events.length === 0} @click=${this.#clear}>
            Clear
          </button>
        </div>
      </header>
      ${
        events.length === 0
          ? html`<p class="empty">
              New events appear here immediately. Private messages are not shown.
            </p>`
          : html`<ol tabindex="0" aria-label="Events, newest first">
              ${repeat(events, (event) => event, item)}
            </ol>`
      }
    </section>`
  }

  #stateText(): string {
    if (live.connection !== 'live') return 'not connected'
    if (this.isPaused) return 'paused'
    return live.isTailing ? 'listening (no private messages)' : 'connecting'
  }

  readonly #receive = (received: readonly ChannelEvent[]): void => {
    // Drops events of the previous channel, which were sent before the server switched the tail.
    const own = received.filter((event) => 'channel' in event && event.channel === this.name)
    if (own.length === 0) return
    this.#incoming = newest([...own].reverse(), this.#incoming)
    this.#scheduledRender ??= requestAnimationFrame(this.#flush)
  }

  readonly #flush = (): void => {
    this.#scheduledRender = undefined
    if (this.isPaused) this.held = newest(this.#incoming, this.held)
    else this.events = newest(this.#incoming, this.events)
    this.#incoming = []
    this.dispatchEvent(new Event('received'))
  }

  readonly #pause = (): void => {
    this.isPaused = !this.isPaused
    if (this.isPaused) return
    this.events = newest(this.held, this.events)
    this.held = []
  }

  readonly #clear = (): void => {
    this.events = []
    this.held = []
    this.#incoming = []
  }
}

const newest = (ahead: readonly ChannelEvent[], behind: readonly ChannelEvent[]) =>
  [...ahead, ...behind].slice(0, MAX_SHOWN)

function item(event: ChannelEvent): TemplateResult {
  const { who, verb, what } = summaryOf(event)
  return html`<li>
    <div class="meta">
      <span class="who">${who === undefined ? nothing : named(who)}</span>
      ${verb === '' ? nothing : html`<span class="tag">${verb}</span>`}
      <span class="quiet small spread"
        >${'timestamp' in event && event.timestamp ? timeTag(event.timestamp, true) : nothing}</span
      >
    </div>
    ${what === undefined ? nothing : html`<div class="what wrap">${what}</div>`}
  </li>`
}

interface Summary {
  readonly who?: string | undefined
  readonly verb: string
  readonly what?: string
}

function summaryOf(event: ChannelEvent): Summary {
  switch (event.type) {
    case 'message':
      return { who: event.user, verb: '', what: messageText(event.message) }
    case 'message:edit':
      return { who: event.user, verb: 'edited a message', what: messageText(event.message) }
    case 'message:delete':
      return { verb: 'a message was deleted', what: event.uuid }
    case 'presence':
      return { who: event.user, verb: event.message.action }
    case 'user_state_change':
      return { who: event.user, verb: 'changed state', what: messageText(event.message.changed) }
    case 'gap':
      return { verb: 'some events were missed' }
    default:
      return event satisfies never
  }
}
