import { LitElement, css, html, nothing, svg } from 'lit'
import { customElement, property, state } from 'lit/decorators.js'
import { timeOfDay } from '../services/format.ts'

const WIDTH = 300
const HEIGHT = 56
/** Padding for the stroke. */
const PADDING = 2
/** The shortest time axis, used when the server has just started. */
const SHORTEST_MS = 300_000
/** More points would not be distinguishable. */
const MAX_POINTS = 180
const BUCKET_STEP_MS = 5_000
/** Readings further apart than this are not connected by a line: the server was down in between. */
const GAP_MS = 30_000

/** One figure over time. Hovering over it shows the value at that time. */
@customElement('cs-line-chart')
export class LineChart extends LitElement {
  @property({ attribute: false }) label = ''
  /** Milliseconds since 1970, ascending; one for each value. */
  @property({ attribute: false }) times: readonly number[] = []
  @property({ attribute: false }) values: readonly number[] = []
  @property({ attribute: false }) format: (value: number) => string = String
  /** The index under the pointer. */
  @state() private hovered: number | undefined

  static override styles = css`
    :host {
      display: block;
    }
    svg {
      display: block;
      inline-size: 100%;
      block-size: var(--chart-height, 56px);
      overflow: visible;
    }
    .line {
      fill: none;
      stroke: var(--accent);
      stroke-width: 1.5;
      stroke-linejoin: round;
      vector-effect: non-scaling-stroke;
    }
    .area {
      fill: var(--accent);
      opacity: 0.1;
    }
    .mark {
      stroke: var(--quiet);
      stroke-width: 1;
      vector-effect: non-scaling-stroke;
    }
    .ground {
      stroke: var(--line);
      vector-effect: non-scaling-stroke;
    }
    p {
      display: flex;
      justify-content: space-between;
      gap: 8px;
      margin: 4px 0 0;
      font-size: 12px;
      color: var(--quiet);
      font-variant-numeric: tabular-nums;
      white-space: nowrap;
    }
  `

  override render() {
    const { values, times } = this
    const [lowest, highest] = [Math.min(...values), Math.max(...values)]
    const now = times.at(-1) ?? 0
    const from = Math.min(times[0] ?? 0, now - SHORTEST_MS)
    const x = (time: number): number => ((time - from) / (now - from)) * WIDTH
    const y = (value: number): number =>
      HEIGHT - PADDING - (highest > 0 ? value / highest : 0) * (HEIGHT - 2 * PADDING)
    const segments = values.length > 1 ? this.#segments(x, y) : []
    const at = this.hovered === undefined ? undefined : times[this.hovered]
    return html`<svg
        viewBox="0 0 ${WIDTH} ${HEIGHT}"
        preserveAspectRatio="none"
        role="img"
        aria-label=${this.#summary(lowest, highest)}
        @pointermove=${(event: PointerEvent) => this.#onPointerMove(event, from, now)}
        @pointerleave=${() => (this.hovered = undefined)}
      >
        <line class="ground" x1="0" x2=${WIDTH} y1=${HEIGHT} y2=${HEIGHT} />
        ${segments.map(
          (segment) => svg`<path class="area" d=${`${segment.line}V${HEIGHT}H${segment.start}Z`} />
            <path class="line" d=${segment.line} />`,
        )}
        ${
          at === undefined
            ? nothing
            : svg`<line class="mark" x1=${x(at)} x2=${x(at)} y1="0" y2=${HEIGHT} />`
        }
      </svg>
      ${this.#caption(from, now, highest)}`
  }

  #caption(from: number, now: number, highest: number) {
    const { hovered } = this
    const [time, value] = [this.times[hovered ?? -1], this.values[hovered ?? -1]]
    if (time !== undefined && value !== undefined)
      return html`<p>
        <span>${timeOfDay(new Date(time))}</span><span>${this.format(value)}</span>
      </p>`
    if (this.values.length === 0) return html`<p><span>No data yet</span></p>`
    const minutes = Math.round((now - from) / 60_000)
    return html`<p>
      <span>${minutes >= 59 ? 'last hour' : `last ${minutes} min`}</span>
      <span>max. ${this.format(highest)}</span>
    </p>`
  }

  #summary(lowest: number, highest: number): string {
    const newest = this.values.at(-1)
    if (newest === undefined) return `${this.label}: no data yet`
    const { format } = this
    return `${this.label}: now ${format(newest)}, between ${format(lowest)} and ${format(highest)}`
  }

  #segments(x: (time: number) => number, y: (value: number) => number) {
    const { times, values } = this
    return runsOf(times).map((run) => {
      const indices = highestOf(run, times, values)
      const across = indices.map((index) => x(times[index] ?? 0).toFixed(1))
      const points = indices.map((index, at) => `${across[at]} ${y(values[index] ?? 0).toFixed(1)}`)
      return { start: across[0] ?? '0', line: `M${points.join('L')}` }
    })
  }

  #onPointerMove({ offsetX, currentTarget }: PointerEvent, from: number, now: number): void {
    const share = offsetX / (currentTarget as SVGElement).clientWidth
    const time = from + share * (now - from)
    const after = this.times.findIndex((each) => each >= time)
    this.hovered = after < 0 ? undefined : after
  }
}

/** Groups the indices of readings into runs without gaps. */
function runsOf(times: readonly number[]): number[][] {
  const runs: number[][] = []
  for (const [index, time] of times.entries())
    if (time - (times[index - 1] ?? -Infinity) > GAP_MS) runs.push([index])
    else runs.at(-1)?.push(index)
  return runs
}

/**
 * Returns the indices to draw: the highest reading of each time bucket, so that peaks stay visible. Buckets begin at
 * fixed times, so that the chart scrolls without changing its shape.
 */
function highestOf(
  run: readonly number[],
  times: readonly number[],
  values: readonly number[],
): number[] {
  const spanMs = (times.at(-1) ?? 0) - (times[0] ?? 0)
  const bucketMs = Math.ceil(spanMs / MAX_POINTS / BUCKET_STEP_MS) * BUCKET_STEP_MS
  const bucketOf = (index: number): number => Math.floor((times[index] ?? 0) / bucketMs)
  const highest: number[] = []
  for (const index of run) {
    const before = highest.at(-1)
    if (before === undefined || bucketOf(before) !== bucketOf(index)) highest.push(index)
    else if ((values[index] ?? 0) > (values[before] ?? 0)) highest[highest.length - 1] = index
  }
  return highest
}
