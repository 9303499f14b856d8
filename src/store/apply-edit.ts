import type { StoredEvent } from './store.ts'

/** Keys of an edit that change the message, in the order in which Redis keeps them. Source: recorded (edit-extra-keys). */
export const EDITABLE = ['timestamp', 'user', 'message', 'edited'] as const

/** The message with these keys changed. */
export function applyEdit(
  { delivery, ...event }: StoredEvent,
  changes: Readonly<Partial<Record<(typeof EDITABLE)[number], unknown>>>,
): StoredEvent {
  // What its sender wrote is not what it says any more.
  return {
    ...event,
    body: { ...event.body, ...changes } as StoredEvent['body'],
    delivery: { ...delivery, philote: undefined },
  }
}
