/** A snapshot cannot be used. The message says why. */
export class SnapshotError extends Error {
  override readonly name = 'SnapshotError'
}
