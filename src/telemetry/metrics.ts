import type { Registry } from 'prom-client'
import type { Traffic } from '../core/hub-options.ts'
import type { Cancel, Clock } from '../lib/clock.ts'
import type { SocketFigures } from '../net/socket-limits.ts'
import type { Figures } from '../store/store.ts'

/** Where the figures come from; asked whenever somebody reads them, so that counting costs nothing in between. */
export interface MetricSources {
  traffic(): Traffic
  /** Rejects if the store does not answer. */
  figures(): Promise<Figures>
  process(): ProcessFigures
  sockets(): SocketFigures
}

/** What went wrong in this process, from its start on. */
export interface ProcessFigures {
  readonly faults: number
  readonly droppedLines: number
}

export interface Exposition {
  readonly contentType: string
  readonly text: string
}

/** Scrapers give up after ten seconds by default, and would then not have the figures of this process either. */
const STORE_WAIT_MS = 2_000

/**
 * The figures of this server in the text format of Prometheus.
 *
 * `prom-client` is loaded when they are read for the first time: it takes more memory than the server's own code, and
 * many servers are never asked.
 */
export class Metrics {
  #registries: Promise<Registries> | undefined
  #exposing: Promise<Exposition> | undefined

  constructor(
    private readonly sources: MetricSources,
    private readonly clock: Pick<Clock, 'after'>,
    private readonly onFault: (error: unknown) => void,
  ) {}

  /**
   * Asks the store once, and waits for it for two seconds at most. Without an answer the metrics of the store are left out,
   * so that nobody takes old values for new ones. Scrapes that overlap share one answer.
   */
  expose(): Promise<Exposition> {
    return (this.#exposing ??= this.#expose().finally(() => (this.#exposing = undefined)))
  }

  async #expose(): Promise<Exposition> {
    const { server, store, metrics } = await (this.#registries ??= openRegistries())
    const figures = await this.#figures()
    const { sources } = this
    const scrape = {
      traffic: sources.traffic(),
      process: sources.process(),
      sockets: sources.sockets(),
      figures,
    }
    for (const { set, read } of metrics) set(read(scrape))
    const texts = [await server.metrics(), ...(figures ? [await store.metrics()] : [])]
    return { contentType: server.contentType, text: texts.join('') }
  }

  /** Undefined if the store does not answer, or not in time. */
  async #figures(): Promise<Figures | undefined> {
    let cancel: Cancel | undefined
    const late = new Promise<undefined>((resolve) => {
      cancel = this.clock.after(STORE_WAIT_MS, () => resolve(undefined))
    })
    try {
      return await Promise.race([this.sources.figures(), late])
    } catch (error) {
      this.onFault(error)
      return undefined
    } finally {
      cancel?.()
    }
  }
}

/** Two, because a metric of `prom-client` without labels always has a value, and cannot be left out. */
interface Registries {
  readonly server: Registry
  readonly store: Registry
  readonly metrics: readonly (Metric & { readonly set: (value: Value) => void })[]
}

async function openRegistries(): Promise<Registries> {
  const { Counter, Gauge, Registry, collectDefaultMetrics } = await import('prom-client')
  const [server, store] = [new Registry(), new Registry()]
  collectDefaultMetrics({ register: server })
  const metrics = METRICS.map((metric) => {
    const { name, help, type } = metric
    const registers = [metric.of === 'store' ? store : server]
    const settings = { name: `channelstream_${name}`, help, registers }
    if (type === 'gauge') {
      const gauge = new Gauge(settings)
      return { ...metric, set: (value: Value) => gauge.set(Number(value)) }
    }
    const { label } = metric
    const counter = new Counter({ ...settings, labelNames: label === undefined ? [] : [label] })
    const set = (value: Value): void => {
      counter.reset()
      if (label === undefined) counter.inc(Number(value))
      else
        for (const [name, part] of Object.entries<number>(value as Counts))
          counter.inc({ [label]: name }, part)
    }
    return { ...metric, set }
  })
  return { server, store, metrics }
}

/** What is known when the metrics are written. */
interface Scrape {
  readonly traffic: Traffic
  readonly process: ProcessFigures
  readonly sockets: SocketFigures
  readonly figures: Figures | undefined
}

/** Of a metric with a label, a number for each of its values. */
type Value = number | Counts
type Counts = Readonly<Record<string, number>>

interface Metric {
  readonly name: string
  readonly help: string
  readonly type: 'gauge' | 'counter'
  /** Metrics of the store are left out while it does not answer. */
  readonly of: 'server' | 'store'
  /** Counters only. */
  readonly label?: string
  readonly read: (scrape: Scrape) => Value
}

const ofTraffic = (key: keyof Traffic): Pick<Metric, 'of' | 'read'> => ({
  of: 'server',
  read: ({ traffic }) => traffic[key],
})

const ofStore = (key: Exclude<keyof Figures, 'eviction'>): Pick<Metric, 'of' | 'read'> => ({
  of: 'store',
  read: ({ figures }) => figures?.[key] ?? 0,
})

const ofProcess = (key: keyof ProcessFigures): Pick<Metric, 'of' | 'read'> => ({
  of: 'server',
  read: ({ process }) => process[key],
})

/** Documented in `docs/operations.md`, which is tested against this list. */
export const METRICS: readonly Metric[] = [
  {
    name: 'open_connections',
    help: 'Clients that have a WebSocket or a poll open on this server.',
    type: 'gauge',
    ...ofTraffic('connections'),
  },
  {
    name: 'guests',
    help: 'Those who listen on this server without being users: Philote clients, the admin panel.',
    type: 'gauge',
    ...ofTraffic('guests'),
  },
  {
    name: 'held_bytes',
    help: 'Bytes that wait for clients of this server which have not read them.',
    type: 'gauge',
    ...ofTraffic('heldBytes'),
  },
  {
    name: 'delivered_events_total',
    help: 'Events written to clients of this server, once for each client.',
    type: 'counter',
    ...ofTraffic('events'),
  },
  {
    name: 'delivered_batches_total',
    help: 'Writes that these events took.',
    type: 'counter',
    ...ofTraffic('writes'),
  },
  {
    name: 'delivered_bytes_total',
    help: 'Bytes of these events as JSON, without frames around them.',
    type: 'counter',
    ...ofTraffic('bytes'),
  },
  {
    name: 'slow_readers_total',
    help: 'Clients of this server that were closed because too much waited for them.',
    type: 'counter',
    ...ofTraffic('slow'),
  },
  {
    name: 'store_up',
    help: 'Whether the store answered: 1, or 0 with the metrics of the store left out.',
    type: 'gauge',
    of: 'server',
    read: ({ figures }) => (figures ? 1 : 0),
  },
  {
    name: 'store_evicts',
    help: 'Whether the store takes facts away when its memory is used up: 1 if its maxmemory-policy is not noeviction.',
    type: 'gauge',
    of: 'store',
    read: ({ figures }) => (figures?.eviction?.mayEvict ? 1 : 0),
  },
  {
    name: 'store_evicted_keys_total',
    help: 'Keys that the Redis has taken away by itself since its start, whoever had them.',
    type: 'counter',
    of: 'store',
    read: ({ figures }) => figures?.eviction?.evictedKeys ?? 0,
  },
  {
    name: 'users',
    help: 'Users known to the store, connected or not.',
    type: 'gauge',
    ...ofStore('users'),
  },
  {
    name: 'connected_users',
    help: 'Users with a connection, on whichever server.',
    type: 'gauge',
    ...ofStore('connectedUsers'),
  },
  {
    name: 'connections',
    help: 'Connections known to the store, with or without a client.',
    type: 'gauge',
    ...ofStore('connections'),
  },
  {
    name: 'channels',
    help: 'Channels known to the store.',
    type: 'gauge',
    ...ofStore('channels'),
  },
  {
    name: 'messages_total',
    help: 'Messages posted.',
    type: 'counter',
    ...ofStore('messages'),
  },
  {
    name: 'faults_total',
    help: 'Errors of this server that no caller was told of. Each is logged.',
    type: 'counter',
    ...ofProcess('faults'),
  },
  {
    name: 'log_dropped_total',
    help: 'Lines of the log of this server that could not be written.',
    type: 'counter',
    ...ofProcess('droppedLines'),
  },
  {
    name: 'open_sockets',
    help: 'Sockets that are open on the ports of this server, whatever they are used for.',
    type: 'gauge',
    of: 'server',
    read: ({ sockets }) => sockets.open,
  },
  {
    name: 'max_sockets',
    help: 'How many there may be, by max_sockets and the limit of open files.',
    type: 'gauge',
    of: 'server',
    read: ({ sockets }) => sockets.most,
  },
  {
    name: 'refused_sockets_total',
    help: 'Sockets that were refused, by reason: total, open_files, address, rate.',
    type: 'counter',
    of: 'server',
    label: 'reason',
    read: ({ sockets }) => sockets.refused,
  },
  {
    name: 'out_of_files',
    help: 'Whether no file descriptor is free, so that the system closes new sockets uncounted: 1 or 0.',
    type: 'gauge',
    of: 'server',
    read: ({ sockets }) => (sockets.isOutOfFiles ? 1 : 0),
  },
]
