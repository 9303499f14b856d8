import { Ajv2020 } from 'ajv/dist/2020.js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import * as protocol from '../../src/protocol/index.ts'
import { Backend, send } from '../helpers/http.ts'
import { ServerProcess, killProcesses } from '../helpers/process.ts'

/** The OpenAPI 3.1 objects that this server uses. Any other key is a mistake. */
const Schema = z.union([z.boolean(), z.record(z.string(), z.unknown())])
const MediaType = z.strictObject({
  schema: Schema,
  example: z.unknown().optional(),
  examples: z.record(z.string(), z.strictObject({ value: z.unknown() })).optional(),
})
const Content = z.record(z.string().regex(/^[\w.*+-]+\/[\w.*+-]+/), MediaType)
const Parameter = z
  .strictObject({
    name: z.string().min(1),
    in: z.enum(['query', 'header', 'path', 'cookie']),
    description: z.string().optional(),
    example: z.unknown().optional(),
    required: z.boolean().optional(),
    deprecated: z.boolean().optional(),
    schema: Schema,
  })
  .refine((parameter) => parameter.in !== 'path' || parameter.required === true)
const Header = z.strictObject({
  description: z.string(),
  required: z.boolean().optional(),
  schema: Schema,
})
const Response = z.strictObject({
  description: z.string().min(1),
  headers: z.record(z.string(), Header).optional(),
  content: Content.optional(),
})
const Operation = z.strictObject({
  tags: z.array(z.string()).min(1),
  summary: z.string().min(1),
  description: z.string().min(1),
  operationId: z.string().regex(/^[a-z][A-Za-z]+$/),
  parameters: z.array(Parameter).optional(),
  requestBody: z
    .strictObject({
      content: Content,
      required: z.boolean().optional(),
      description: z.string().optional(),
    })
    .optional(),
  responses: z.record(z.string().regex(/^[1-5](\d\d|XX)$/), Response),
  security: z.array(z.record(z.string(), z.array(z.string()))),
})
const Document = z.strictObject({
  openapi: z.string().regex(/^3\.1\.\d+$/),
  info: z.strictObject({
    title: z.string(),
    version: z.string(),
    description: z.string().optional(),
    license: z.strictObject({ name: z.string(), identifier: z.string() }),
  }),
  servers: z.array(z.strictObject({ url: z.string() })).optional(),
  tags: z
    .array(z.strictObject({ name: z.string(), description: z.string().optional() }))
    .optional(),
  paths: z.record(
    z.string().startsWith('/'),
    z.partialRecord(
      z.enum(['get', 'put', 'post', 'delete', 'options', 'head', 'patch']),
      Operation,
    ),
  ),
  webhooks: z.record(z.string(), z.strictObject({ post: Operation })),
  components: z.strictObject({
    schemas: z.record(z.string().regex(/^[\w.-]+$/), Schema),
    securitySchemes: z.record(
      z.string(),
      z.strictObject({
        type: z.literal('apiKey'),
        in: z.enum(['header', 'query', 'cookie']),
        name: z.string(),
        description: z.string().optional(),
      }),
    ),
  }),
})
type Document = z.infer<typeof Document>

const ROUTES = [
  'post /connect',
  'post /subscribe',
  'post /unsubscribe',
  'post /user_state',
  'post /channel_config',
  'get /info',
  'post /info',
  'post /history',
  'post /message',
  'patch /message',
  'delete /message',
  'get /disconnect',
  'post /disconnect',
  'get /listen',
  'get /sse',
  'get /ws',
  'get /health',
  'get /health/live',
  'get /health/ready',
  'get /metrics',
  'get /admin/admin.json',
  'post /admin/admin.json',
  'get /admin/channels.json',
  'get /admin/users.json',
  'get /admin/figures.json',
  'get /admin/webhooks.json',
  'get /admin/live',
]

describe('the description of the API', () => {
  let server: ServerProcess
  let backend: Backend
  let document: Document
  let cookie: string

  beforeAll(async () => {
    server = await ServerProcess.start()
    backend = new Backend(server)
    document = (await backend.send('GET /openapi.json')).body as Document
    const body = 'username=admin&password=admin_secret'
    const { headers } = await send(server, 'POST /admin/sign_in', { body })
    cookie = headers['set-cookie']?.[0]?.split(';')[0] ?? ''
  })
  afterAll(killProcesses)

  const operations = () =>
    Object.entries(document.paths).flatMap(([path, item]) =>
      Object.entries(item).map(([method, operation]) => ({ line: `${method} ${path}`, operation })),
    )

  it('is OpenAPI 3.1', () => {
    const { success, error } = Document.safeParse(document)
    expect(error?.issues).toBeUndefined()
    expect(success).toBe(true)
  })

  it('lists every route, and no others', () => {
    const lines = operations().map(({ line }) => line)
    expect(lines.sort()).toEqual([...ROUTES].sort())
  })

  it('names every operation once, and every tag', () => {
    const webhooks = Object.values(document.webhooks).map(({ post }) => post)
    const all = [...operations().map(({ operation }) => operation), ...webhooks]
    const ids = all.map(({ operationId }) => operationId)
    expect(ids.toSorted()).toEqual([...new Set(ids)].toSorted())
    const tags = new Set(all.flatMap((operation) => operation.tags))
    expect([...tags].toSorted()).toEqual(document.tags?.map(({ name }) => name).toSorted())
  })

  it('names schemas plainly, and leaves those of answers open for further fields', () => {
    expect(Object.keys(document.components.schemas).filter((name) => /Input$/.test(name))).toEqual(
      [],
    )
    for (const { line, operation } of operations())
      expect(JSON.stringify(operation.responses), line).not.toContain(
        '"additionalProperties":false',
      )
    expect(document.components.schemas['PostedMessage']).toMatchObject({
      required: expect.arrayContaining(['uuid', 'timestamp', 'edited', 'no_history']) as unknown,
    })
  })

  it('requires the conn_id where it has to be in the query', () => {
    const required = operations().flatMap(({ line, operation }) => {
      const parameter = operation.parameters?.find(({ name }) => name === 'conn_id')
      return parameter ? [[line, parameter.required]] : []
    })
    expect(Object.fromEntries(required)).toEqual({
      'post /subscribe': false,
      'post /unsubscribe': false,
      'post /disconnect': false,
      'get /disconnect': true,
      'get /listen': true,
      'get /sse': true,
      'get /ws': true,
    })
  })

  it('has no format for times that may have no zone', () => {
    expect(JSON.stringify(document)).not.toContain('"date-time"')
  })

  it('shows the limits of the running server', async () => {
    const max_messages_per_request = 7
    const max_history_size = 11
    const small = await ServerProcess.start({
      settings: { max_messages_per_request, max_history_size },
    })
    const { body } = await new Backend(small).send('GET /openapi.json')
    expect(body).toMatchObject({
      paths: {
        '/message': {
          post: {
            requestBody: {
              content: {
                'application/json': {
                  schema: {
                    maxItems: max_messages_per_request,
                    'x-setting': 'max_messages_per_request',
                  },
                },
              },
            },
          },
        },
      },
      components: {
        schemas: { ChannelConfig: { properties: { history_size: { maximum: max_history_size } } } },
      },
    })
  })

  it('refers only to what is there', () => {
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)]
    expect(references.length).toBeGreaterThan(0)
    for (const [, reference = ''] of references) {
      const steps = reference.replace(/^#\//, '').split('/')
      const target = steps.reduce<unknown>(
        (at, step) => (at as Record<string, unknown>)?.[step],
        document,
      )
      expect(target, reference).toBeTypeOf('object')
    }
  })

  it('has schemas that are JSON Schema of 2020, as OpenAPI 3.1 asks for', () => {
    const ajv = new Ajv2020({ strict: false })
    const schemas = [
      ...Object.entries(document.components.schemas),
      ...operations().flatMap(({ line, operation }) => [
        ...(operation.parameters ?? []).map(
          ({ name, schema }) => [`${line} ${name}`, schema] as const,
        ),
        ...[operation.requestBody, ...Object.values(operation.responses)].flatMap((part) =>
          Object.values(part?.content ?? {}).map(({ schema }) => [line, schema] as const),
        ),
      ]),
    ]
    for (const [name, schema] of schemas) {
      expect(ajv.validateSchema(schema), `${name}: ${ajv.errorsText()}`).toBe(true)
      expect(JSON.stringify(schema), name).not.toMatch(/"nullable"|"exclusive\w+":(true|false)/)
    }
  })

  it('shows an example of every body that is sent or answered, each right by its schema', () => {
    const ajv = new Ajv2020({ strict: false, validateFormats: false })
    ajv.addSchema({ $id: 'openapi', components: document.components })
    const bodies = operations().flatMap(({ line, operation }) => [
      { where: line, body: operation.requestBody },
      ...Object.entries(operation.responses).map(([status, body]) => ({
        where: `${line} ${status}`,
        body,
      })),
    ])
    for (const { where, body } of bodies)
      for (const { schema, example, examples } of Object.values(body?.content ?? {})) {
        const [first] = (schema as { examples?: unknown[] }).examples ?? []
        const several = examples && Object.values(examples).map(({ value }) => value)
        const text = JSON.stringify(schema).replaceAll('"#/components', '"openapi#/components')
        for (const shown of several ?? [example ?? first]) {
          expect(shown, where).toBeDefined()
          const isRight = ajv.validate(JSON.parse(text) as object, shown)
          expect(isRight, `${where}: ${ajv.errorsText()}`).toBe(true)
        }
      }
  })

  it('has examples that the server’s own schemas accept', () => {
    const schemas = Object.entries(protocol).filter(([, value]) => value instanceof z.ZodType)
    const examples = schemas.flatMap(([name, schema]) =>
      (((schema as z.ZodType).meta()?.['examples'] as unknown[] | undefined) ?? []).map(
        (example) => [name, schema as z.ZodType, example] as const,
      ),
    )
    expect(examples.length).toBeGreaterThan(20)
    for (const [name, schema, example] of examples)
      expect(schema.safeParse(example).error?.issues, name).toBeUndefined()
  })

  it('names the server as it is seen from outside', async () => {
    const headers = { 'x-script-name': '/push' }
    const { body } = await backend.send('GET /openapi.json', { headers })
    expect((body as Document).servers).toEqual([{ url: '/push' }])
    expect(document.servers).toEqual([{ url: '/' }])
  })

  it('says which routes need a signature: those that refuse to go without', async () => {
    for (const { line, operation } of operations()) {
      const [method = '', path = ''] = line.split(' ')
      const { status } = await send(server, `${method.toUpperCase()} ${path}`)
      // An empty requirement among others means that there is a way without.
      const isOptional = operation.security.some((schemes) => Object.keys(schemes).length === 0)
      const needs = operation.security.length > 0 && !isOptional
      expect([302, 403].includes(status), line).toBe(needs)
    }
  })

  it('describes answers and refusals of the routes that read a body', () => {
    for (const { line, operation } of operations()) {
      if (['get /ws', 'get /admin/live'].includes(line)) continue // these upgrade to a WebSocket
      expect(Object.keys(operation.responses), line).toContain('200')
      if (operation.requestBody) expect(Object.keys(operation.responses), line).toContain('422')
    }
  })

  it('is for those who sign in or sign', async () => {
    expect((await send(server, 'GET /openapi.json')).status).toBe(403)
    expect((await send(server, 'GET /openapi.json', { headers: { cookie } })).status).toBe(200)
  })

  describe('in the explorer', () => {
    const get = (path: string, headers: object = { cookie }) =>
      send(server, `GET ${path}`, { headers: { ...headers } })

    it('is shown to a signed-in admin, with everything that the page loads', async () => {
      const redirect = await get('/api-explorer')
      const home = redirect.status === 200 ? redirect : await get('/api-explorer/')
      expect(home.status).toBe(200)
      expect(home.headers['content-type']).toMatch(/^text\/html/)
      const assets = [...home.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path = '']) => path)
      expect(assets.length).toBeGreaterThan(3)
      for (const asset of assets) {
        const { pathname } = new URL(asset, `${server.url}/api-explorer/`)
        const answer = await get(pathname)
        expect(answer.status, pathname).toBe(200)
        expect(answer.text.length, pathname).toBeGreaterThan(0)
      }
      expect((await get('/api-explorer/json')).body).toMatchObject({ openapi: document.openapi })
      expect(String(home.headers['content-security-policy'])).toMatch(/default-src|script-src/)
    })

    it('is shown to nobody else, nor is any file of it', async () => {
      const { text } = await get('/api-explorer/')
      const assets = [...text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path = '']) => path)
      const paths = ['/api-explorer', '/api-explorer/', '/api-explorer/json', '/api-explorer/yaml']
      const files = assets.map((asset) => new URL(asset, `${server.url}/api-explorer/`).pathname)
      for (const path of [...paths, ...files]) {
        const answer = await get(path, {})
        expect(answer.status, path).toBe(302)
        expect(answer.headers.location, path).toBe('/admin/sign_in')
      }
    })

    it('has nothing of the server’s files beside its own', async () => {
      for (const path of [
        '/api-explorer/static/../../../package.json',
        '/api-explorer/static/%2e%2e/%2e%2e/package.json',
        '/api-explorer/static/..%2f..%2fpackage.json',
        '/api-explorer/static//etc/passwd',
        '/api-explorer/static/%00',
      ]) {
        const { status, text } = await get(path)
        expect([302, 400, 403, 404], path).toContain(status)
        expect(text).not.toMatch(/root:|"dependencies"/)
      }
    })
  })
})
