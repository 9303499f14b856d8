/** The metrics of requests and clients of this server. */
import { VERSION } from '../version.ts'
import type { Traffic } from '../core/hub-options.ts'
import type { Metric, PlainMetric } from './metric.ts'

/** The figures of traffic that are one number. */
type TrafficNumber = {
  [Key in keyof Traffic]: Traffic[Key] extends number ? Key : never
}[keyof Traffic]

const byKind = (counts: Readonly<Record<string, number>>) =>
  Object.entries(counts).map(([kind, value]) => ({ labels: { kind }, value }))

export const ofTraffic = (key: TrafficNumber): Pick<PlainMetric, 'of' | 'read'> => ({
  of: 'server',
  read: ({ traffic }) => traffic[key],
})

export const OF_CLIENTS: readonly Metric[] = [
  {
    name: 'build_info',
    help: '1. The labels say which version runs, and on which version of Node.',
    type: 'gauge',
    of: 'server',
    labels: ['version', 'node'],
    read: () => [{ labels: { version: VERSION, node: process.versions.node }, value: 1 }],
  },
  {
    name: 'http_requests_total',
    help: 'Requests that this server has answered, by method, route and status. Event streams are not among them.',
    type: 'counter',
    of: 'server',
    labels: ['method', 'route', 'status'],
    read: ({ requests }) => requests.requests(),
  },
  {
    name: 'http_request_duration_seconds',
    help: 'Seconds from the header of a request to its answer, by method and route.',
    type: 'histogram',
    of: 'server',
    labels: ['method', 'route'],
    read: ({ requests }) => requests.seconds(),
  },
  {
    name: 'refused_requests_total',
    help: 'Requests that this server has answered with an error, by its code (x-channelstream-error).',
    type: 'counter',
    of: 'server',
    labels: ['error'],
    read: ({ requests }) => requests.refusals(),
  },
  {
    name: 'opened_total',
    help: 'Connections that clients have opened on this server, by kind: stream (WebSocket, event stream) or poll.',
    type: 'counter',
    of: 'server',
    labels: ['kind'],
    read: ({ traffic }) => byKind(traffic.opened),
  },
  {
    name: 'resumed_total',
    help: 'Streams of connections that had been open before, or that named a cursor.',
    type: 'counter',
    ...ofTraffic('resumed'),
  },
  {
    name: 'caught_up_events_total',
    help: 'Events that clients got on opening, once for each client.',
    type: 'counter',
    ...ofTraffic('caughtUp'),
  },
  {
    name: 'gaps_total',
    help: 'Clients of this server that got a gap on opening, by kind.',
    type: 'counter',
    of: 'server',
    labels: ['kind'],
    read: ({ traffic }) => byKind(traffic.gaps),
  },
  {
    name: 'closed_total',
    help: 'WebSockets and event streams of this server that ended, by transport and close code. 1006: without a code.',
    type: 'counter',
    of: 'server',
    labels: ['transport', 'code'],
    read: ({ closings }) => closings.samples(),
  },
  {
    name: 'delivery_seconds',
    help: 'Seconds from the first event of a write to all its clients to the end of that write.',
    type: 'histogram',
    of: 'server',
    read: ({ traffic }) => [{ labels: {}, histogram: traffic.seconds }],
  },
  {
    name: 'store_answer_seconds',
    help: 'How long the store took to answer this scrape. Left out if it did not answer.',
    type: 'gauge',
    of: 'store',
    read: ({ storeSeconds }) => storeSeconds ?? 0,
  },
  {
    name: 'store_announce_seconds',
    help: 'Seconds from a publish on this server until its Redis announced the event here. Only with clients here for it.',
    type: 'histogram',
    of: 'store',
    read: ({ figures }) =>
      figures?.announceSeconds ? [{ labels: {}, histogram: figures.announceSeconds }] : [],
  },
]
