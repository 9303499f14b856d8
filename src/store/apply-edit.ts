import type { StoredEvent } from './store.ts'

/**
 * Keys of a message that an edit changes, in the order in which Redis keeps them. Source: recorded (edit-extra-keys).
 */
export const EDITABLE = ['timestamp', 'user', 'message', 'edited'] as const

/** Returns the message with these keys changed. */
export function applyEdit(
  { n, id, body, delivery }: StoredEvent,
  changes: Readonly<Partial<Record<(typeof EDITABLE)[number], unknown>>>,
): StoredEvent {
  // The Philote form has the original content, which is outdated after the edit.
  return {
    ...{ n, id },
    body: { ...body, ...changes } as StoredEvent['body'],
    delivery: { ...delivery, philote: undefined },
  }
}
