/** The data directory cannot be used. The message says why, and what to do. */
export class DataDirError extends Error {
  override readonly name: string = 'DataDirError'
}

/** A newer version has written it. It is not damaged. */
export class NewerFormatError extends DataDirError {
  override readonly name = 'NewerFormatError'
}
