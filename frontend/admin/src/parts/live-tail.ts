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

/** Events that stay in sight; older ones go. */
const MAX_SHOWN = 200

/** What is announced in a channel from now on, newest first. Dispatches `said` when something may change its history. */
@customElement('cs-live-tail')
export class LiveTail extends LitElement {
  @property({ attribute: false }) name = ''
  @state() private events: readonly ChannelEvent[] = []
  @state() private isPaused = false
  /** Newest first: what came since the last picture of the screen, however much it is. */
  #come: readonly ChannelEvent[] = []
  #drawing: number | undefined
  /** What came while it was paused. */
  @state() private waiting: readonly ChannelEvent[] = []

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
    if (this.#drawing !== undefined) cancelAnimationFrame(this.#drawing)
    live.untail()
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (!changed.has('name')) return
    this.#clear()
    // After this rendering: that the tail begins is told to those who are rendered, this one among them.
    queueMicrotask(() => live.tail(this.name, this.#take))
  }

  override render() {
    const { events, isPaused, waiting } = this
    return html`<section class="box" aria-labelledby="heading">
      <header>
        <h2 id="heading">Live</h2>
        <span class="quiet small">${this.#stateText()}</span>
        <div class="row">
          <button type="button" aria-pressed=${isPaused} @click=${this.#pause}>
            ${isPaused ? `Go on${waiting.length > 0 ? ` (${waiting.length} new)` : ''}` : 'Pause'}
          </button>
          <button type="button" ?disabled=${events.length === 0} @click=${this.#clear}>
            Clear
          </button>
        </div>
      </header>
      ${
        events.length === 0
          ? html`<p class="empty">
              What is announced here shows up at once, but for private messages.
            </p>`
          : html`<ol tabindex="0" aria-label="Events, newest first">
              ${repeat(events, (event) => event, line)}
            </ol>`
      }
    </section>`
  }

  #stateText(): string {
    if (live.connection !== 'live') return 'not connected'
    if (this.isPaused) return 'paused'
    return live.isTailing ? 'listening, without private messages' : 'connecting'
  }

  readonly #take = (told: readonly ChannelEvent[]): void => {
    // Of another channel: announced before the server heard of the change.
    const own = told.filter((event) => 'channel' in event && event.channel === this.name)
    if (own.length === 0) return
    this.#come = newest([...own].reverse(), this.#come)
    this.#drawing ??= requestAnimationFrame(this.#draw)
  }

  readonly #draw = (): void => {
    this.#drawing = undefined
    if (this.isPaused) this.waiting = newest(this.#come, this.waiting)
    else this.events = newest(this.#come, this.events)
    this.#come = []
    this.dispatchEvent(new Event('said'))
  }

  readonly #pause = (): void => {
    this.isPaused = !this.isPaused
    if (this.isPaused) return
    this.events = newest(this.waiting, this.events)
    this.waiting = []
  }

  readonly #clear = (): void => {
    this.events = []
    this.waiting = []
    this.#come = []
  }
}

const newest = (ahead: readonly ChannelEvent[], behind: readonly ChannelEvent[]) =>
  [...ahead, ...behind].slice(0, MAX_SHOWN)

function line(event: ChannelEvent): TemplateResult {
  const { who, verb, what } = told(event)
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

interface Told {
  readonly who?: string | undefined
  readonly verb: string
  readonly what?: string
}

function told(event: ChannelEvent): Told {
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
      return { verb: 'some events are missing' }
    default:
      return event satisfies never
  }
}
