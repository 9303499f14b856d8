/**
 * The description as the API explorer shows it. Each operation would otherwise list a dozen refusals that any request
 * can get, each with a table of headers: pages of text around the few lines that matter, and seconds to draw.
 */
import type { OpenApi, Operation, Response } from './types.ts'

/** A whole description. */
export interface Described extends OpenApi {
  readonly info: { readonly description?: string }
}

/** Without the statuses that every operation has, and without the headers of responses. */
export function forPeople<Document extends Described>(document: Document): Document {
  const operations = Object.values(document.paths).flatMap((item) => Object.values(item))
  const [first = [], ...others] = operations.map(({ responses }) => Object.keys(responses))
  const common = first.filter((status) => others.every((each) => each.includes(status)))
  const paths = Object.entries(document.paths).map(([path, item]) => {
    const shown = Object.entries(item).map(([method, operation]) => [
      method,
      withoutCommon(operation, common),
    ])
    return [path, Object.fromEntries(shown)] as const
  })
  const remark =
    `Any request can also be answered with ${common.join(', ')}. ` +
    'These answers, and the headers of all, are in `/openapi.json`.'
  const description = [document.info.description, remark].filter(Boolean).join('\n\n')
  return { ...document, info: { ...document.info, description }, paths: Object.fromEntries(paths) }
}

function withoutCommon(operation: Operation, common: readonly string[]): Operation {
  const responses = Object.entries(operation.responses)
    .filter(([status]) => !common.includes(status))
    .map(([status, { description = '', content }]) => {
      const response: Response = { description, ...(content && { content }) }
      return [status, response] as const
    })
  return { ...operation, responses: Object.fromEntries(responses) }
}
