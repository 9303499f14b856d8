/** Settings for webhooks, declared like those in `settings.ts`. */
import { WEBHOOK_EVENT_TYPES, type WebhookEventType } from '../protocol/webhooks.ts'
import {
  MAX_COUNT,
  Unreadable,
  bytes,
  count,
  listOf,
  secretLines,
  seconds,
  setting,
  text,
  type Kind,
} from './values.ts'

/** Separated by white space, because a comma may be part of a url. Faults show no part of a url: it may be secret. */
const webhookUrls: Kind<readonly string[]> = {
  expected: 'http or https urls, separated by spaces or new lines',
  read(raw) {
    const given: unknown = typeof raw === 'string' ? raw.split(/\s+/) : raw
    if (!Array.isArray(given)) return new Unreadable(raw)
    const urls = given.filter((url) => url !== '')
    return urls.every(isWebhookUrl) ? Object.freeze(urls) : new Unreadable(raw)
  },
}

function isWebhookUrl(url: unknown): url is string {
  if (typeof url !== 'string' || !URL.canParse(url)) return false
  const { protocol, hash, username, password } = new URL(url)
  const isReadable = [username, password].every((part) => !/%(?![\da-f]{2})/i.test(part))
  return /^https?:$/.test(protocol) && hash === '' && isReadable
}

const eventTypes = listOf<WebhookEventType>(
  `any of ${WEBHOOK_EVENT_TYPES.join(', ')}, separated by commas or new lines`,
  (part) => WEBHOOK_EVENT_TYPES.find((type) => type === part.toLowerCase()),
)

const channelPatterns = listOf(
  'names of channels, or how they begin, with a * at the end, separated by commas or new lines',
  (part) => (/^[^*]*\*?$/.test(part) ? part : undefined),
)

export const WEBHOOKS = {
  webhook_url: setting(
    webhookUrls,
    [],
    'The urls that are told what happens here, in signed POST requests. Each gets everything. Empty: no webhooks. ' +
      'See docs/webhooks.md.',
    true,
  ),
  webhook_secret: setting(
    text,
    '',
    'The key that requests to webhooks are signed with. Empty: the same as secret.',
    true,
  ),
  webhook_secret_fallbacks: setting(
    secretLines,
    [],
    'Other values of webhook_secret that requests are signed with as well, while receivers change. Without a ' +
      'webhook_secret, secret_fallbacks is used.',
    true,
  ),
  webhook_events: setting(
    eventTypes,
    WEBHOOK_EVENT_TYPES.filter((type) => type !== 'message'),
    'The events that webhooks are told. message tells every message, with its content.',
  ),
  webhook_channels: setting(
    channelPatterns,
    [],
    'Only events of these channels are told, and events that are about no channel. chat-* are all channels whose ' +
      'names begin with chat-. Empty: all channels.',
  ),
  webhook_connections: setting(
    count(1, 100),
    4,
    'Maximum number of requests to a webhook url at the same time. Events about the same user or channel are never ' +
      'in two of them. 1: all events arrive in the order in which they happened.',
  ),
  webhook_timeout: setting(
    seconds(0.1, 600),
    10,
    'Seconds that a webhook has to answer. After that the request is repeated.',
  ),
  max_webhook_events: setting(
    count(1, MAX_COUNT),
    100_000,
    'Maximum number of events that wait for webhooks. Above that the oldest tenth is dropped, and the webhooks are ' +
      'told how many they miss. With redis_url, the limit applies to all servers together.',
  ),
  max_webhook_bytes: setting(
    bytes,
    67_108_864,
    'Maximum size of the events that wait for webhooks, in bytes. Works like max_webhook_events.',
  ),
}
