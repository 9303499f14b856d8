import type { Figures } from '../store/store.ts'
import type { Registry } from 'prom-client'
import type { Traffic } from '../core/hub-options.ts'

/** Where the figures come from; asked whenever somebody reads them, so that counting costs nothing in between. */
export interface MetricSources {
  traffic(): Traffic
  figures(): Promise<Figures>
}

export interface Exposition {
  readonly contentType: string
  readonly text: string
}

/**
 * The figures of this server in the text format of Prometheus.
 *
 * `prom-client` is loaded when they are read for the first time: it takes more memory than the server's own code, and
 * many servers are never asked.
 */
export class Metrics {
  #registry: Promise<Registry> | undefined

  constructor(private readonly sources: MetricSources) {}

  async expose(): Promise<Exposition> {
    this.#registry ??= this.#open()
    const registry = await this.#registry
    return { contentType: registry.contentType, text: await registry.metrics() }
  }

  async #open(): Promise<Registry> {
    const { Counter, Gauge, Registry, collectDefaultMetrics } = await import('prom-client')
    const registry = new Registry()
    collectDefaultMetrics({ register: registry })
    for (const { name, help, type, read } of METRICS) {
      const { sources } = this
      const settings = { name: `channelstream_${name}`, help, registers: [registry] }
      if (type === 'gauge')
        new Gauge({
          ...settings,
          async collect() {
            this.set(await read(sources))
          },
        })
      else
        new Counter({
          ...settings,
          async collect() {
            this.reset()
            this.inc(await read(sources))
          },
        })
    }
    return registry
  }
}

interface Metric {
  readonly name: string
  readonly help: string
  readonly type: 'gauge' | 'counter'
  readonly read: (sources: MetricSources) => number | Promise<number>
}

const ofTraffic =
  (key: keyof Traffic): Metric['read'] =>
  (sources) =>
    sources.traffic()[key]

const ofStore =
  (key: keyof Figures): Metric['read'] =>
  async (sources) =>
    (await sources.figures())[key]

/** Documented in `docs/operations.md`, which is tested against this list. */
export const METRICS: readonly Metric[] = [
  {
    name: 'open_connections',
    help: 'Clients that have a WebSocket or a poll open on this server.',
    type: 'gauge',
    read: ofTraffic('connections'),
  },
  {
    name: 'guests',
    help: 'Those who listen on this server without being users: Philote clients, the admin panel.',
    type: 'gauge',
    read: ofTraffic('guests'),
  },
  {
    name: 'held_bytes',
    help: 'Bytes that wait for clients of this server which have not read them.',
    type: 'gauge',
    read: ofTraffic('heldBytes'),
  },
  {
    name: 'delivered_events_total',
    help: 'Events written to clients of this server, once for each client.',
    type: 'counter',
    read: ofTraffic('events'),
  },
  {
    name: 'delivered_batches_total',
    help: 'Writes that these events took.',
    type: 'counter',
    read: ofTraffic('writes'),
  },
  {
    name: 'delivered_bytes_total',
    help: 'Bytes of these events as JSON, without frames around them.',
    type: 'counter',
    read: ofTraffic('bytes'),
  },
  {
    name: 'slow_readers_total',
    help: 'Clients of this server that were closed because too much waited for them.',
    type: 'counter',
    read: ofTraffic('slow'),
  },
  {
    name: 'users',
    help: 'Users known to the store, connected or not.',
    type: 'gauge',
    read: ofStore('users'),
  },
  {
    name: 'connected_users',
    help: 'Users with a connection, on whichever server.',
    type: 'gauge',
    read: ofStore('connectedUsers'),
  },
  {
    name: 'connections',
    help: 'Connections known to the store, with or without a client.',
    type: 'gauge',
    read: ofStore('connections'),
  },
  {
    name: 'channels',
    help: 'Channels known to the store.',
    type: 'gauge',
    read: ofStore('channels'),
  },
  {
    name: 'messages_total',
    help: 'Messages posted.',
    type: 'counter',
    read: ofStore('messages'),
  },
]
