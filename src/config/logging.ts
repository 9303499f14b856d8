/** Settings for the log, declared like those in `settings.ts`. */
import { oneOf, setting, trueOrFalse } from './values.ts'

type LogFormat = 'json' | 'pretty'
type LogLevels = 'numbers' | 'words'

export const LOGGING = {
  debug: setting(
    trueOrFalse,
    false,
    'Log at level debug. Ignored if log_level is trace, which logs more.',
  ),
  log_level: setting(
    oneOf({
      trace: 'trace',
      debug: 'debug',
      info: 'info',
      warning: 'warn',
      warn: 'warn',
      error: 'error',
      critical: 'fatal',
      fatal: 'fatal',
      silent: 'silent',
    }),
    'info',
    'The lowest level that is logged. Letter case does not matter. warning means warn, critical means fatal, ' +
      'silent logs nothing.',
  ),
  access_log: setting(
    trueOrFalse,
    false,
    'Log each answered request and each closed WebSocket at level info: method, route, status, milliseconds, bytes and ' +
      'the address of the client, but no path and no query. It costs time for each request.',
  ),
  log_format: setting(
    oneOf<LogFormat>({ json: 'json', pretty: 'pretty' }),
    'json',
    'How lines of the log look. json: one object on each line, for programs. pretty: text for people.',
  ),
  log_levels: setting(
    oneOf<LogLevels>({ numbers: 'numbers', words: 'words' }),
    'numbers',
    'How json has the level. numbers: 30 and so on. words: info and so on, as many log collectors expect. pretty has ' +
      'words in any case.',
  ),
}
