import { LitElement, css, html, nothing, svg } from 'lit'
import { customElement, property, state } from 'lit/decorators.js'
import { timeOfDay } from '../services/format.ts'

const WIDTH = 300
const HEIGHT = 56
/** Room for the stroke. */
const EDGE = 2
/** A server that has just started shows its first minutes wide. */
const SHORTEST_MS = 300_000
/** More points would run into each other. */
const MAX_POINTS = 180
const STRETCH_STEP_MS = 5_000
/** Readings that are further apart are not joined: the server was not there in between. */
const GAP_MS = 30_000

/** One figure over time. Whoever points at it reads a moment’s value. */
@customElement('cs-line-chart')
export class LineChart extends LitElement {
  @property({ attribute: false }) label = ''
  /** Milliseconds since 1970, ascending; one for each value. */
  @property({ attribute: false }) times: readonly number[] = []
  @property({ attribute: false }) values: readonly number[] = []
  @property({ attribute: false }) format: (value: number) => string = String
  /** The index that is pointed at. */
  @state() private pointed: number | undefined

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
      HEIGHT - EDGE - (highest > 0 ? value / highest : 0) * (HEIGHT - 2 * EDGE)
    const pieces = values.length > 1 ? this.#pieces(x, y) : []
    const at = this.pointed === undefined ? undefined : times[this.pointed]
    return html`<svg
        viewBox="0 0 ${WIDTH} ${HEIGHT}"
        preserveAspectRatio="none"
        role="img"
        aria-label=${this.#summary(lowest, highest)}
        @pointermove=${(event: PointerEvent) => this.#point(event, from, now)}
        @pointerleave=${() => (this.pointed = undefined)}
      >
        <line class="ground" x1="0" x2=${WIDTH} y1=${HEIGHT} y2=${HEIGHT} />
        ${pieces.map(
          (piece) => svg`<path class="area" d=${`${piece.line}V${HEIGHT}H${piece.start}Z`} />
            <path class="line" d=${piece.line} />`,
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
    const { pointed } = this
    const [time, value] = [this.times[pointed ?? -1], this.values[pointed ?? -1]]
    if (time !== undefined && value !== undefined)
      return html`<p>
        <span>${timeOfDay(new Date(time))}</span><span>${this.format(value)}</span>
      </p>`
    if (this.values.length === 0) return html`<p><span>No readings yet</span></p>`
    const minutes = Math.round((now - from) / 60_000)
    return html`<p>
      <span>${minutes >= 59 ? 'last hour' : `last ${minutes} min`}</span>
      <span>up to ${this.format(highest)}</span>
    </p>`
  }

  #summary(lowest: number, highest: number): string {
    const newest = this.values.at(-1)
    if (newest === undefined) return `${this.label}: no readings yet`
    const { format } = this
    return `${this.label}: now ${format(newest)}, between ${format(lowest)} and ${format(highest)}`
  }

  #pieces(x: (time: number) => number, y: (value: number) => number) {
    const { times, values } = this
    return runsOf(times).map((run) => {
      const drawn = highestOf(run, times, values)
      const across = drawn.map((index) => x(times[index] ?? 0).toFixed(1))
      const points = drawn.map((index, at) => `${across[at]} ${y(values[index] ?? 0).toFixed(1)}`)
      return { start: across[0] ?? '0', line: `M${points.join('L')}` }
    })
  }

  #point({ offsetX, currentTarget }: PointerEvent, from: number, now: number): void {
    const share = offsetX / (currentTarget as SVGElement).clientWidth
    const time = from + share * (now - from)
    const after = this.times.findIndex((each) => each >= time)
    this.pointed = after < 0 ? undefined : after
  }
}

/** Indices of readings between which nothing is missing. */
function runsOf(times: readonly number[]): number[][] {
  const runs: number[][] = []
  for (const [index, time] of times.entries())
    if (time - (times[index - 1] ?? -Infinity) > GAP_MS) runs.push([index])
    else runs.at(-1)?.push(index)
  return runs
}

/**
 * Those of the indices that are drawn: the highest of each stretch of time, since peaks are what one looks for.
 * Stretches begin at fixed times, so that the picture moves on without changing.
 */
function highestOf(
  run: readonly number[],
  times: readonly number[],
  values: readonly number[],
): number[] {
  const spanMs = (times.at(-1) ?? 0) - (times[0] ?? 0)
  const stretchMs = Math.ceil(spanMs / MAX_POINTS / STRETCH_STEP_MS) * STRETCH_STEP_MS
  const stretchOf = (index: number): number => Math.floor((times[index] ?? 0) / stretchMs)
  const highest: number[] = []
  for (const index of run) {
    const before = highest.at(-1)
    if (before === undefined || stretchOf(before) !== stretchOf(index)) highest.push(index)
    else if ((values[index] ?? 0) > (values[before] ?? 0)) highest[highest.length - 1] = index
  }
  return highest
}
