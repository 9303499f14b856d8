/** Formats numbers and times for the browser's locale. */

const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 })
const fine = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 })

export const count = (value: number): string => whole.format(value)

/** `1 user`, `2,000 users`. */
export const counted = (value: number, one: string, many = `${one}s`): string =>
  `${count(value)} ${value === 1 ? one : many}`

/** Rates below 100 keep one decimal, so that one message in ten seconds does not show as 0. */
export const rate = (value: number): string => (value < 100 ? fine : whole).format(value)

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB']

export function bytes(value: number): string {
  const power = Math.min(UNITS.length - 1, Math.floor(Math.log2(Math.max(1, value)) / 10))
  return `${fine.format(value / 1024 ** power)} ${UNITS[power]}`
}

export const milliseconds = (value: number): string => `${fine.format(value)} ms`

export function duration(seconds: number): string {
  const minutes = Math.floor(seconds / 60)
  const hours = Math.floor(minutes / 60)
  const days = Math.floor(hours / 24)
  if (days > 0) return `${days} d ${hours % 24} h`
  if (hours > 0) return `${hours} h ${minutes % 60} min`
  return minutes > 0 ? `${minutes} min` : `${Math.floor(seconds)} s`
}

/** Parses a timestamp of the server: ISO 8601 in UTC, without a time zone. */
export const momentOf = (timestamp: string): Date =>
  new Date(/(Z|[+-]\d\d:\d\d)$/.test(timestamp) ? timestamp : `${timestamp}Z`)

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' })
const calendar = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' })

export const timeOfDay = (moment: Date): string => (isReal(moment) ? clock.format(moment) : '')

/** The time of day if it is today, else date and time. */
export function moment(when: Date): string {
  if (!isReal(when)) return ''
  const isToday = when.toDateString() === new Date().toDateString()
  return isToday ? clock.format(when) : calendar.format(when)
}

const isReal = (moment: Date): boolean => !Number.isNaN(moment.getTime())
