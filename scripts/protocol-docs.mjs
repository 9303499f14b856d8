/**
 * Writes the parts of docs/protocol.md that are generated from the schemas:
 * `npm run build && node scripts/protocol-docs.mjs`.
 *
 * A generated part is between `<!-- made: NAME -->` and `<!-- /made -->`.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { pathToFileURL } from 'node:url'
import { z } from 'zod'

/** Pages with generated parts, relative to the root of the project. */
export const PAGES = ['docs/protocol.md']

/** Schemas that the pages show as a table. The name is that of the generated part. */
const TABLES = [
  'ConnectRequest',
  'SubscribeRequest',
  'UnsubscribeRequest',
  'DisconnectUserRequest',
  'UserStateRequest',
  'HistoryRequest',
  'CountsRequest',
  'MessageQuery',
  'MessageRequest',
  'EditRequest',
  'DeleteRequest',
  'ChannelsQuery',
  'UsersQuery',
  'ChannelRow',
  'UserRow',
  'Reading',
  'FiguresResponse',
  'WebhooksResponse',
  'WebhookRow',
  'StreamQuery',
  'ListenQuery',
  'ChannelSettings',
  'InfoOptions',
  'ConnectResponse',
  'SubscribeResponse',
  'UnsubscribeResponse',
  'UserStateResponse',
  'HistoryResponse',
  'CountsResponse',
  'Recipients',
  'ChannelsInfo',
  'ChannelInfo',
  'HistoryItem',
  'AdminResponse',
  'MessageEvent',
  'EditEvent',
  'DeleteEvent',
  'PresenceEvent',
  'UserStateEvent',
  'GapEvent',
]

/**
 * Returns `page` with its generated parts updated.
 *
 * @param {string} page
 * @param {ReadonlyMap<string, string>} parts
 */
export function fillIn(page, parts) {
  return page.replace(/<!-- made: (\w+) -->.*?<!-- \/made -->/gs, (_, name) => {
    const part = parts.get(name)
    if (part === undefined) throw new Error(`unknown generated part ${name}`)
    return `<!-- made: ${name} -->\n\n${part}\n\n<!-- /made -->`
  })
}

/**
 * Returns every generated part by name.
 *
 * @param {Readonly<Record<string, unknown>>} protocol what `src/protocol/index.ts` exports
 */
export const makeParts = (protocol) =>
  new Map(TABLES.map((name) => [name, fieldTable(name, protocol[name])]))

function fieldTable(name, schema) {
  const { properties, required } = objectOf(schema)
  const fields = Object.entries(properties)
  if (name.endsWith('Query')) return table(['Parameter', 'Meaning'], fields.map(parameterRow))
  const isRequired = (field) => required.includes(field)
  return /(Request|Settings|Options)$/.test(name)
    ? table(['Field', 'Type', 'Default', 'Meaning'], fields.map(requestRow(isRequired)))
    : table(['Field', 'Type', 'Present', 'Meaning'], fields.map(answerRow(isRequired)))
}

function objectOf(schema) {
  const options = { io: 'output', unrepresentable: 'any', override: keepFormat }
  const whole = z.toJSONSchema(schema, options)
  const object = whole.$ref ? whole.$defs[lastOf(whole.$ref)] : whole
  return { required: [], ...object }
}

const parameterRow = ([name, { description }]) => [`\`${name}\``, description]

const requestRow =
  (isRequired) =>
  ([name, field]) => [
    `\`${name}\``,
    typeOf(field),
    showDefault(field, isRequired(name)),
    field.description ?? '',
  ]

const answerRow =
  (isRequired) =>
  ([name, field]) => [
    `\`${name}\``,
    typeOf(withoutLimits(field)),
    isRequired(name) ? 'always' : 'sometimes',
    field.description ?? '',
  ]

/** Removes limits on lengths and numbers. What the server sends is always within them, so readers need not check. */
function withoutLimits(schema) {
  if (Array.isArray(schema)) return schema.map(withoutLimits)
  if (typeof schema !== 'object' || schema === null) return schema
  const kept = Object.entries(schema).filter(([key]) => !LIMITS.has(key))
  return Object.fromEntries(kept.map(([key, value]) => [key, withoutLimits(value)]))
}

const LIMITS = new Set(['minLength', 'maxLength', 'minimum', 'maximum'])

/** Keeps the format of a text. It is part of the first schema of a pipe, and the brand after it does not have it. */
function keepFormat({ zodSchema, jsonSchema }) {
  const { type, in: from } = zodSchema._zod.def
  if (type !== 'pipe' || from._zod.def.type !== 'pipe') return
  const { format } = z.toJSONSchema(from, { io: 'output', unrepresentable: 'any' })
  if (format) jsonSchema.format ??= format
}

function showDefault(field, isRequired) {
  if (!('default' in field)) return isRequired ? 'required' : 'optional'
  if (field.$ref && field.default !== null) return 'its defaults'
  return showValue(field.default)
}

function showValue(value) {
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value)
  return text === '' ? 'empty' : `\`${text}\``
}

function typeOf(field) {
  if (field.$ref) return linkTo(lastOf(field.$ref))
  if (field.anyOf) return field.anyOf.map(typeOf).join(', or ')
  if (field.enum) return field.enum.map((value) => `\`"${value}"\``).join(' or ')
  if ('const' in field) return `\`${JSON.stringify(field.const)}\``
  if (Array.isArray(field.type)) return field.type.join(', ').replace(/, (\w+)$/, ' or $1')
  switch (field.type) {
    case 'string':
      return textType(field)
    case 'integer':
      return integerType(field)
    case 'array':
      return `list of ${plural(typeOf(field.items))}${field.minItems ? `, at least ${field.minItems}` : ''}`
    case 'null':
      return '`null`'
    case 'object':
      return objectType(field)
    default:
      return field.type ?? 'any JSON'
  }
}

/** What a request says about settings has the fields of the settings, but no defaults of its own. */
const SHOWN_AS = new Map([['ChannelConfig', 'ChannelSettings']])

function linkTo(schema) {
  const name = SHOWN_AS.get(schema) ?? schema
  return `[${name}](#${name.toLowerCase()})`
}

function integerType({ minimum, maximum }) {
  if (minimum === undefined) return 'integer'
  return maximum < Number.MAX_SAFE_INTEGER
    ? `integer from ${minimum} to ${maximum}`
    : `integer from ${minimum}`
}

function textType({ format, pattern, minLength, maxLength }) {
  if (format === 'uuid') return 'UUID'
  if (pattern?.startsWith(START_OF_TIME)) return 'ISO 8601 date and time'
  return maxLength === undefined ? 'string' : `string of ${minLength} to ${maxLength} characters`
}

function objectType({ properties, additionalProperties }) {
  if (properties) {
    const fields = Object.entries(properties).map(
      ([name, field]) => `\`${name}\`: ${typeOf(field)}`,
    )
    return `object (${fields.join('; ')})`
  }
  const isMap = typeof additionalProperties === 'object'
  return isMap ? `map of name to ${typeOf(additionalProperties)}` : 'object'
}

/** Of `DATETIME_PATTERN`. The format `date-time` would require a zone. */
const START_OF_TIME = '^[0-9]{4}-'

const plural = (type) => type.replace(/^(string|number|object|UUID)\b/, '$1s')

const lastOf = (reference) => reference.slice(reference.lastIndexOf('/') + 1)

function table(head, rows) {
  const line = (cells) => `| ${cells.map(escapeCell).join(' | ')} |`
  const ruler = `| ${head.map(() => '---').join(' | ')} |`
  return ['<!-- prettier-ignore -->', line(head), ruler, ...rows.map(line)].join('\n')
}

const escapeCell = (text) => text.replaceAll('|', '\\|')

async function main() {
  const protocol = await import('../dist/protocol/index.js')
  const parts = makeParts(protocol)
  for (const page of PAGES) await writeFile(page, fillIn(await readFile(page, 'utf8'), parts))
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main()
