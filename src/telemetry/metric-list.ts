import { OF_CLIENTS, ofTraffic } from './client-metrics.ts'
import type { Figures } from '../store/store.ts'
import type { Metric, PlainMetric, ProcessFigures } from './metric.ts'

const ofStore = (
  key: Exclude<keyof Figures, 'eviction' | 'disk' | 'announceSeconds'>,
): Pick<PlainMetric, 'of' | 'read'> => ({
  of: 'store',
  read: ({ figures }) => figures?.[key] ?? 0,
})

const ofProcess = (key: keyof ProcessFigures): Pick<PlainMetric, 'of' | 'read'> => ({
  of: 'server',
  read: ({ process }) => process[key],
})

const OF_STATE: readonly Metric[] = [
  {
    name: 'open_connections',
    help: 'Clients with an open WebSocket, event stream or poll on this server.',
    type: 'gauge',
    ...ofTraffic('connections'),
  },
  {
    name: 'guests',
    help: 'Subscribers on this server that are not users: Philote clients and the admin panel.',
    type: 'gauge',
    ...ofTraffic('guests'),
  },
  {
    name: 'held_bytes',
    help: 'Bytes that are queued for clients of this server that have not read them.',
    type: 'gauge',
    ...ofTraffic('heldBytes'),
  },
  {
    name: 'delivered_events_total',
    help: 'Events written to clients of this server, counted once for each client.',
    type: 'counter',
    ...ofTraffic('events'),
  },
  {
    name: 'delivered_batches_total',
    help: 'Writes used to deliver these events.',
    type: 'counter',
    ...ofTraffic('writes'),
  },
  {
    name: 'delivered_bytes_total',
    help: 'Bytes of these events as JSON, without transport framing.',
    type: 'counter',
    ...ofTraffic('bytes'),
  },
  {
    name: 'slow_readers_total',
    help: 'Slow consumers: clients of this server that were closed because too many bytes were queued for them.',
    type: 'counter',
    ...ofTraffic('slow'),
  },
  {
    name: 'store_up',
    help: '1 if the store answered. Otherwise 0, and the metrics of the store are left out.',
    type: 'gauge',
    of: 'server',
    read: ({ figures }) => (figures ? 1 : 0),
  },
  {
    name: 'store_evicts',
    help: '1 if the store evicts data when its memory is full (its maxmemory-policy is not noeviction), otherwise 0.',
    type: 'gauge',
    of: 'store',
    read: ({ figures }) => (figures?.eviction?.mayEvict ? 1 : 0),
  },
  {
    name: 'store_evicted_keys_total',
    help: 'Keys that Redis has evicted since its start, including keys of other applications.',
    type: 'counter',
    of: 'store',
    read: ({ figures }) => figures?.eviction?.evictedKeys ?? 0,
  },
  {
    name: 'store_disk_bytes',
    help: 'Size of the files in data_dir. 0 without data_dir.',
    type: 'gauge',
    of: 'store',
    read: ({ figures }) => figures?.disk?.bytes ?? 0,
  },
  {
    name: 'store_refuses_changes',
    help: '1 if changes cannot be written to data_dir, so that they are refused, otherwise 0.',
    type: 'gauge',
    of: 'store',
    read: ({ figures }) => (figures?.disk?.isRefusing ? 1 : 0),
  },
  {
    name: 'users',
    help: 'Users known to the store, connected or not.',
    type: 'gauge',
    ...ofStore('users'),
  },
  {
    name: 'connected_users',
    help: 'Users with a connection, on any server.',
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
    help: 'Errors of this server that were not returned to a caller. Each is logged.',
    type: 'counter',
    ...ofProcess('faults'),
  },
  {
    name: 'log_dropped_total',
    help: 'Log lines of this server that were dropped because they could not be written.',
    type: 'counter',
    ...ofProcess('droppedLines'),
  },
  {
    name: 'open_sockets',
    help: 'Open sockets on the ports of this server, whatever they are used for.',
    type: 'gauge',
    of: 'server',
    read: ({ sockets }) => sockets.open,
  },
  {
    name: 'max_sockets',
    help: 'Maximum number of open sockets, from max_sockets and the limit of open files.',
    type: 'gauge',
    of: 'server',
    read: ({ sockets }) => sockets.most,
  },
  {
    name: 'refused_sockets_total',
    help: 'Refused sockets, by reason: total, open_files, address, rate.',
    type: 'counter',
    of: 'server',
    labels: ['reason'],
    read: ({ sockets }) =>
      Object.entries(sockets.refused).map(([reason, value]) => ({ labels: { reason }, value })),
  },
  {
    name: 'out_of_files',
    help: '1 if no file descriptor is free, so that the system closes new sockets uncounted. Otherwise 0.',
    type: 'gauge',
    of: 'server',
    read: ({ sockets }) => (sockets.isOutOfFiles ? 1 : 0),
  },
  {
    name: 'user_refusals_total',
    help: 'Refusals of this server because of a limit on users, by limit: connections, channels, messages.',
    type: 'counter',
    of: 'server',
    labels: ['limit'],
    read: ({ userRefusals }) =>
      Object.entries(userRefusals).map(([limit, value]) => ({ labels: { limit }, value })),
  },
  {
    name: 'webhook_queued_events',
    help: 'Events that wait for a webhook, by its url.',
    type: 'gauge',
    of: 'store',
    labels: ['endpoint'],
    read: ({ webhooks }) =>
      webhooks.map(({ endpoint, queued }) => ({ labels: { endpoint }, value: queued })),
  },
  {
    name: 'webhook_dropped_events_total',
    help: 'Events that a webhook will never get because the queue was full, by its url.',
    type: 'counter',
    of: 'store',
    labels: ['endpoint'],
    read: ({ webhooks }) =>
      webhooks.map(({ endpoint, dropped }) => ({ labels: { endpoint }, value: dropped })),
  },
  {
    name: 'webhook_delivered_events_total',
    help: 'Events that this server has sent to a webhook, by its url.',
    type: 'counter',
    of: 'server',
    labels: ['endpoint'],
    read: ({ webhookCounts }) =>
      [...webhookCounts].map(([endpoint, { deliveredEvents }]) => ({
        labels: { endpoint },
        value: deliveredEvents,
      })),
  },
  {
    name: 'webhook_requests_total',
    help: 'Requests of this server to a webhook, by its url and the result: ok, a status, or error (no answer).',
    type: 'counter',
    of: 'server',
    labels: ['endpoint', 'result'],
    read: ({ webhookCounts }) =>
      [...webhookCounts].flatMap(([endpoint, { requests }]) =>
        Object.entries(requests).map(([result, value]) => ({
          labels: { endpoint, result },
          value,
        })),
      ),
  },
]

/** Documented in `docs/operations.md`. A test compares names and types. */
export const METRICS: readonly Metric[] = [...OF_STATE, ...OF_CLIENTS]
