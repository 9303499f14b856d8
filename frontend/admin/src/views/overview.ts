import '../parts/line-chart.ts'
import '../parts/webhook-list.ts'
import { LitElement, css, html } from 'lit'
import { customElement } from 'lit/decorators.js'
import { base } from '../parts/style.ts'
import { BASE } from '../services/api.ts'
import { bytes, count, counted, duration, milliseconds, rate } from '../services/format.ts'
import { live } from '../services/live.ts'
import { Watch } from '../services/watch.ts'
import type { Reading } from '../services/api.ts'

interface Figure {
  readonly key: keyof Reading
  readonly title: string
  readonly format: (value: number) => string
  /** Shown below the number. */
  readonly note: (reading: Reading) => string
}

const byteRate = (value: number): string => `${bytes(value)}/s`

const FIGURES: readonly Figure[] = [
  {
    key: 'connected_users',
    title: 'Users',
    format: count,
    note: ({ users }) => `connected, ${count(users)} known`,
  },
  {
    key: 'open_connections',
    title: 'Connections',
    format: count,
    note: ({ connections, guests }) =>
      `open here, ${count(connections)} in total; ${counted(guests, 'guest')}`,
  },
  { key: 'channels', title: 'Channels', format: count, note: () => 'known' },
  {
    key: 'messages_per_second',
    title: 'Messages',
    format: rate,
    note: () => 'posted per second',
  },
  {
    key: 'events_per_second',
    title: 'Events',
    format: rate,
    note: ({ bytes_per_second }) => `sent per second, ${byteRate(bytes_per_second)}`,
  },
  {
    key: 'held_bytes',
    title: 'Buffered',
    format: bytes,
    note: () => 'for slow consumers',
  },
  { key: 'memory_bytes', title: 'Memory', format: bytes, note: () => 'used by the process' },
  {
    key: 'event_loop_delay_ms',
    title: 'Event-loop delay',
    format: milliseconds,
    note: () => 'p99',
  },
]

/** The key figures of the server, now and over the last hour. */
@customElement('cs-overview')
export class Overview extends LitElement {
  constructor() {
    super()
    new Watch(this, ['figures'])
  }

  static override styles = [
    base,
    css`
      .top {
        display: flex;
        flex-wrap: wrap;
        gap: 4px 16px;
        align-items: baseline;
        margin-bottom: 16px;
      }
      ul {
        display: grid;
        grid-template-columns: repeat(auto-fill, minmax(260px, 1fr));
        gap: 16px;
        margin: 0;
        padding: 0;
        list-style: none;
      }
      li {
        display: grid;
        gap: 12px;
        padding: 16px;
        min-width: 0;
      }
      .number {
        font-size: 26px;
        font-weight: 650;
        line-height: 1.2;
        letter-spacing: -0.02em;
        font-variant-numeric: tabular-nums;
      }
      @media (min-width: 641px) {
        cs-line-chart {
          --chart-height: 112px;
        }
      }
      @media (max-width: 640px) {
        .top a {
          margin-inline-start: 0;
        }
        ul {
          gap: 12px;
        }
        li {
          grid-template-columns: minmax(0, 4fr) minmax(0, 5fr);
          align-items: end;
          gap: 16px;
          padding: 12px 16px;
        }
      }
    `,
  ]

  override render() {
    const { reading } = live
    return html`<div class="top">
        <h1 tabindex="-1">Overview</h1>
        <p class="quiet small">
          ${reading ? `Version ${live.version}, up for ${duration(live.uptimeSeconds)}` : 'Loading…'}
        </p>
        <a class="spread" href="${BASE}/api-explorer">API explorer</a>
      </div>
      <ul>
        ${reading ? FIGURES.map((figure) => this.#figure(figure, reading)) : ''}
      </ul>
      <cs-webhook-list></cs-webhook-list>`
  }

  #figure({ key, title, format, note }: Figure, reading: Reading) {
    return html`<li class="box" data-figure=${key}>
      <div>
        <h2>${title}</h2>
        <p class="number">${format(reading[key])}</p>
        <p class="quiet small">${note(reading)}</p>
      </div>
      <cs-line-chart
        .label=${title}
        .times=${[...live.times]}
        .values=${[...(live.series[key] ?? [])]}
        .format=${format}
      ></cs-line-chart>
    </li>`
  }
}
