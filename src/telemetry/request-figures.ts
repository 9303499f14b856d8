import { Histogram, SECONDS } from '../lib/histogram.ts'
import { Tally } from '../lib/tally.ts'
import type { RequestCounter, Route } from '../http/server.ts'
import type { Sample } from '../lib/tally.ts'
import type { HistogramSample, RequestSamples } from './metric.ts'

interface RouteFigures {
  readonly labels: { readonly method: string; readonly route: string }
  readonly byStatus: Map<number, number>
  readonly seconds: Histogram
}

/** The route of requests that match none. */
const NO_ROUTE = 'none'

/** Counts the answered requests of this server. */
export class RequestFigures implements RequestCounter, RequestSamples {
  /** By what the framework has one of for each route. Several may have the same figures. */
  readonly #byObject = new Map<object | undefined, RouteFigures>()
  readonly #byLabels = new Map<string, RouteFigures>()
  readonly #refusals = new Tally()

  answered(of: object | undefined, route: () => Route, status: number, ms: number): void {
    let figures = this.#byObject.get(of)
    if (!figures) this.#byObject.set(of, (figures = this.#figuresOf(route())))
    figures.byStatus.set(status, (figures.byStatus.get(status) ?? 0) + 1)
    figures.seconds.note(ms / 1000)
  }

  refused(code: string): void {
    this.#refusals.note({ error: code })
  }

  requests(): Sample[] {
    return [...this.#byLabels.values()].flatMap(({ labels, byStatus }) =>
      [...byStatus].map(([status, value]) => ({
        labels: { ...labels, status: String(status) },
        value,
      })),
    )
  }

  seconds(): HistogramSample[] {
    return [...this.#byLabels.values()].map(({ labels, seconds }) => ({
      labels,
      histogram: seconds.view(),
    }))
  }

  refusals(): Sample[] {
    return this.#refusals.samples()
  }

  /** Prometheus refuses all metrics of a server if two have the same labels. */
  #figuresOf(route: Route): RouteFigures {
    const figures = newFigures(route)
    const key = Object.values(figures.labels).join(' ')
    const known = this.#byLabels.get(key)
    if (known) return known
    this.#byLabels.set(key, figures)
    return figures
  }
}

const newFigures = ({ method, url = NO_ROUTE }: Route): RouteFigures => ({
  labels: { method, route: url },
  byStatus: new Map(),
  seconds: new Histogram(SECONDS),
})
