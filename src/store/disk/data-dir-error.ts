/** The data directory cannot be used. The message says why, and what to do. */
export class DataDirError extends Error {
  override readonly name = 'DataDirError'
}
