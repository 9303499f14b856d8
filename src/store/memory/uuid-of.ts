import type { StoredEvent } from '../store.ts'

/** An event whose body is parsed when it is first read. It knows its uuid without that. */
export interface UnreadEvent extends StoredEvent {
  readonly uuid: string
}

export const uuidOf = (event: StoredEvent | UnreadEvent): string =>
  'uuid' in event ? event.uuid : event.body.uuid
