import { Histogram, SECONDS } from '../lib/histogram.ts'
import type { HistogramSample, Sample } from './samples.ts'

/** A route as the server has registered it, without what a caller has put in its place. */
export interface Route {
  readonly method: string
  readonly url: string | undefined
}

interface RouteFigures {
  readonly labels: { readonly method: string; readonly route: string }
  readonly byStatus: Map<number, number>
  readonly seconds: Histogram
}

/** The route of requests that match none. */
const NO_ROUTE = 'none'

/** Counts the answered requests of this server. */
export class RequestFigures {
  /** By what the framework has one of for each route. */
  readonly #routes = new Map<object | undefined, RouteFigures>()
  readonly #refusals = new Map<string, number>()

  /** `of`: an object that belongs to the route. `ms`: from the request's headers to its answer. */
  answered(of: object | undefined, route: () => Route, status: number, ms: number): void {
    let figures = this.#routes.get(of)
    if (!figures) this.#routes.set(of, (figures = newFigures(route())))
    figures.byStatus.set(status, (figures.byStatus.get(status) ?? 0) + 1)
    figures.seconds.note(ms / 1000)
  }

  /** `code`: that of the header `x-channelstream-error`. */
  refused(code: string): void {
    this.#refusals.set(code, (this.#refusals.get(code) ?? 0) + 1)
  }

  requests(): Sample[] {
    return [...this.#routes.values()].flatMap(({ labels, byStatus }) =>
      [...byStatus].map(([status, value]) => ({
        labels: { ...labels, status: String(status) },
        value,
      })),
    )
  }

  seconds(): HistogramSample[] {
    return [...this.#routes.values()].map(({ labels, seconds }) => ({
      labels,
      histogram: seconds.view(),
    }))
  }

  refusals(): Sample[] {
    return [...this.#refusals].map(([error, value]) => ({ labels: { error }, value }))
  }
}

const newFigures = ({ method, url = NO_ROUTE }: Route): RouteFigures => ({
  labels: { method, route: url },
  byStatus: new Map(),
  seconds: new Histogram(SECONDS),
})
