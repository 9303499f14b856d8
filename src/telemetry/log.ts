import { pino } from 'pino'
import { DEFAULT_FORM, inForm } from './log-form.ts'
import { setLogForm, standardError } from './standard-streams.ts'
import type { FastifyBaseLogger } from 'fastify'
import type { LogForm } from './log-form.ts'

/**
 * Opens the log, on standard error, because standard output is for messages to people at the start. It never blocks.
 * `level`: pino's names (`debug` … `fatal`, `silent`). Secrets, signatures and urls are never logged.
 */
export function openLog(level: string, form: LogForm = DEFAULT_FORM): FastifyBaseLogger {
  setLogForm(form)
  const output = standardError()
  return pino({ level, base: null }, { write: (line) => output.write(inForm(form, line)) })
}
