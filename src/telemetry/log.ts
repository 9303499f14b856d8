import { pino } from 'pino'
import { standardError } from './standard-streams.ts'
import type { FastifyBaseLogger } from 'fastify'

/**
 * Opens the log: JSON lines on standard error, because standard output is for messages to people at the start. It never
 * blocks. `level`: pino's names (`debug` … `fatal`, `silent`). Secrets, signatures and urls are never logged.
 */
export function openLog(level: string): FastifyBaseLogger {
  return pino({ level, base: null }, standardError())
}
