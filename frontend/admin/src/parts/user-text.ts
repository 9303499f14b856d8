/** Text that users chose, wherever it is shown. */
import { html } from 'lit'
import { moment, momentOf, timeOfDay } from '../services/format.ts'
import { visible } from '../services/names.ts'
import type { TemplateResult } from 'lit'

/** A name, kept apart from the text around it, whichever way it is written. */
export const named = (name: string): TemplateResult => html`<bdi>${visible(name)}</bdi>`

/** A value as JSON on several lines. */
export const asJson = (value: unknown): string => JSON.stringify(value, null, 2) ?? ''

const visibleLines = (text: string): string => text.split('\n').map(visible).join('\n')

/** What people would read of a message: its text if that is all there is, else the whole as JSON. */
export function messageText(message: unknown): string {
  if (typeof message !== 'object' || message === null) return visibleLines(asJson(message))
  const [[key, text] = [], ...others] = Object.entries(message)
  return key === 'text' && typeof text === 'string' && others.length === 0
    ? visibleLines(text)
    : visibleLines(asJson(message))
}

/** A moment in local time; the exact one, in UTC, on pointing at it. */
export function timeTag(timestamp: string, isShort = false): TemplateResult {
  const when = momentOf(timestamp)
  const iso = Number.isNaN(when.getTime()) ? timestamp : when.toISOString()
  return html`<time datetime=${iso} title=${iso}>${isShort ? timeOfDay(when) : moment(when)}</time>`
}
