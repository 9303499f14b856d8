/** The description of the API that a server gives of itself, to compare its real answers with. */
import { Ajv2020 } from 'ajv/dist/2020.js'
import { Backend } from './http.ts'
import type { Address, Answer } from './http.ts'

type Schema = Readonly<Record<string, unknown>>

interface Response {
  readonly headers?: Readonly<
    Record<string, { readonly required?: boolean; readonly schema: Schema }>
  >
  readonly content?: Readonly<Record<string, { readonly schema: Schema }>>
}

export interface Operation {
  readonly operationId: string
  readonly parameters?: readonly { readonly name: string; readonly in: string }[]
  readonly requestBody?: {
    readonly content: Readonly<
      Record<string, { readonly schema: Schema; readonly example: unknown }>
    >
  }
  readonly responses: Readonly<Record<string, Response>>
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly webhooks: Readonly<Record<string, { readonly post: Operation }>>
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> }
}

/** An operation with the line of its request, as in `POST /connect`. */
export interface Described extends Operation {
  readonly line: string
}

const ERROR_HEADER = 'x-channelstream-error'

export class Description {
  readonly operations: readonly Described[]
  readonly #ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true })

  private constructor(readonly document: Document) {
    this.operations = Object.entries(document.paths).flatMap(([path, item]) =>
      Object.entries(item).map(([method, operation]) => ({
        ...operation,
        line: `${method.toUpperCase()} ${path}`,
      })),
    )
    const components = closed(document.components) as Document['components']
    this.#ajv.addSchema({ $id: 'openapi', components })
  }

  static async of(server: Address, secret?: string): Promise<Description> {
    const { body } = await new Backend(server, secret).send('GET /openapi.json')
    return new Description(body as Document)
  }

  /** Throws unless the description has an operation for the line, whose query does not matter. */
  at(line: string): Described {
    const [wanted] = line.split('?')
    const found = this.operations.find((each) => each.line === wanted)
    if (!found) throw new Error(`${line} is not described`)
    return found
  }

  /** The codes of errors that the description names for a status. */
  codesOf({ responses }: Operation, status: string): readonly string[] {
    return (responses[status]?.headers?.[ERROR_HEADER]?.schema['enum'] ?? []) as string[]
  }

  /** Returns what is wrong with an answer by the description. Undefined if nothing is. */
  faultOf(line: string, { status, headers, body, text }: Answer): string | undefined {
    const response = this.at(line).responses[String(status)]
    if (!response) return `${status} is not described`
    for (const [name, header] of Object.entries(response.headers ?? {})) {
      const value = headers[name]
      if (value === undefined && header.required !== true) continue
      const given = header.schema['type'] === 'integer' ? Number(value) : value
      const fault = this.#faultBy(header.schema, given)
      if (fault !== undefined) return `${status}, header ${name} (${String(value)}): ${fault}`
    }
    const [type = ''] = (headers['content-type'] ?? '').split(';')
    if (!response.content) return text === '' ? undefined : `${status} has a body`
    const media = response.content[type]
    if (!media) return `${status} has the type ${type}`
    const fault = this.#faultBy(media.schema, type === 'application/json' ? body : text)
    return fault === undefined ? undefined : `${status}: ${fault} ${text.slice(0, 300)}`
  }

  /** Returns what is wrong with the body of a request to a webhook. */
  faultOfWebhook(body: unknown): string | undefined {
    const { requestBody } = this.document.webhooks['events']?.post ?? {}
    const schema = requestBody?.content['application/json']?.schema
    return schema ? this.#faultBy(schema, body) : 'it is not described'
  }

  #faultBy(schema: Schema, value: unknown): string | undefined {
    const text = JSON.stringify(closed(schema)).replaceAll('"#/components', '"openapi#/components')
    return this.#ajv.validate(JSON.parse(text) as object, value)
      ? undefined
      : this.#ajv.errorsText()
  }
}

/** Answers are open for fields of later servers. This one must send no others than it describes. */
function closed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(closed)
  if (typeof value !== 'object' || value === null) return value
  const copy = Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, closed(inner)]))
  const isOpen = copy['type'] === 'object' && 'properties' in copy
  return isOpen && !('additionalProperties' in copy)
    ? { ...copy, additionalProperties: false }
    : copy
}
