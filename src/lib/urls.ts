/** Returns the query of a request target. Empty if there is none. */
export function queryOf(url = ''): URLSearchParams {
  const at = url.indexOf('?')
  return new URLSearchParams(at < 0 ? '' : url.slice(at + 1))
}

/** Returns the path of a request target as it stands there: without its query, not decoded. */
export function pathOf(url = '/'): string {
  const at = url.indexOf('?')
  return at < 0 ? url : url.slice(0, at)
}
