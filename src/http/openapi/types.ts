/** The objects of OpenAPI 3.1 that the description consists of, as far as this folder changes them. */
export type Schema = Readonly<Record<string, unknown>>

export interface MediaType {
  readonly schema: Schema
  example?: unknown
  examples?: Readonly<Record<string, { readonly value: unknown }>>
}

export interface Header {
  readonly description: string
  readonly required?: boolean
  readonly schema: Schema
}

export interface Body {
  description?: string
  required?: boolean
  readonly content?: Readonly<Record<string, MediaType>>
}

export interface Response extends Body {
  headers?: Readonly<Record<string, Header>>
}

export interface Operation {
  requestBody?: Body
  responses: Record<string, Response>
}

export type Paths = Readonly<Record<string, Readonly<Record<string, Operation>>>>

export interface OpenApi {
  readonly paths: Paths
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> }
}
