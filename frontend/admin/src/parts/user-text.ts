/** Renders text that comes from users. */
import { html } from 'lit'
import { moment, momentOf, timeOfDay } from '../services/format.ts'
import { visible } from '../services/names.ts'
import type { TemplateResult } from 'lit'

/** A name, isolated so that its writing direction does not affect the text around it. */
export const named = (name: string): TemplateResult => html`<bdi>${visible(name)}</bdi>`

/** A value as indented JSON. */
export const asJson = (value: unknown): string => JSON.stringify(value, null, 2) ?? ''

const visibleLines = (text: string): string => text.split('\n').map(visible).join('\n')

/** The readable form of a message: its `text` if it has no other key, else the whole message as JSON. */
export function messageText(message: unknown): string {
  if (typeof message !== 'object' || message === null) return visibleLines(asJson(message))
  const [[key, text] = [], ...others] = Object.entries(message)
  return key === 'text' && typeof text === 'string' && others.length === 0
    ? visibleLines(text)
    : visibleLines(asJson(message))
}

/** A time in the local time zone. Hovering over it shows the exact time in UTC. */
export function timeTag(timestamp: string, isShort = false): TemplateResult {
  const when = momentOf(timestamp)
  const iso = Number.isNaN(when.getTime()) ? timestamp : when.toISOString()
  return html`<time datetime=${iso} title=${iso}>${isShort ? timeOfDay(when) : moment(when)}</time>`
}
