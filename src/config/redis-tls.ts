/** Finds settings of TLS for Redis that contradict each other. */
import { ConfigSchema } from './schema.ts'
import { faultIn, rawValues, type Values } from './sources.ts'
import type { Fault } from './ini.ts'

/** The settings with files for TLS, by their names in Node.js. */
export const TLS_FILES = {
  ca: 'redis_ca_file',
  cert: 'redis_cert_file',
  key: 'redis_key_file',
} as const

/** Whether the url of a Redis, in any form, is one for TLS. */
export const isForTls = (url: string): boolean => url.startsWith('rediss')

/**
 * Files that are given for a Redis without TLS would not protect anything, and a certificate without its key cannot be
 * used.
 */
export function redisTlsFaults(values: Values): readonly Fault[] {
  const read = ConfigSchema.pick({
    ...{ redis_url: true, philote_redis_url: true },
    ...{ redis_ca_file: true, redis_cert_file: true, redis_key_file: true },
  })
    .strip()
    .safeParse(rawValues(values))
  if (!read.success) return []
  const { redis_url, philote_redis_url, redis_cert_file: cert, redis_key_file: key } = read.data
  const urls = [redis_url, philote_redis_url].filter((url) => url !== '')
  if (urls.length === 0) return []
  const problem = urls.every(isForTls) ? undefined : 'needs a url of Redis that begins with rediss'
  return Object.values(TLS_FILES).flatMap((name) => {
    const given = values.get(name)
    if (given === undefined) return []
    if (problem !== undefined) return [faultIn(given, problem)]
    if (name === 'redis_cert_file' && key === '') return [faultIn(given, 'needs redis_key_file')]
    if (name === 'redis_key_file' && cert === '') return [faultIn(given, 'needs redis_cert_file')]
    return []
  })
}
