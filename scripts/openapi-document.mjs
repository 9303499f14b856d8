/**
 * The description of the API, of a server with default settings. Prints it:
 *
 *     node scripts/openapi-document.mjs > openapi.json
 */
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Builds what is missing. The server does not listen. */
export async function openApiDocument() {
  await import('./build-missing.mjs')
  const { buildApp } = await import('../dist/app/server.js')
  const { parseConfig } = await import('../dist/config/load.js')
  const { createSigner } = await import('../dist/http/signature.js')
  const config = parseConfig({ log_level: 'silent' })
  const { http, stop } = await buildApp(config)
  const signed = createSigner(config.secret).sign('/openapi.json', Date.now() / 1000)
  try {
    const headers = { 'x-channelstream-secret': signed }
    const answer = await http.inject({ url: '/openapi.json', headers })
    if (answer.statusCode !== 200) throw new Error(`GET /openapi.json: ${answer.statusCode}`)
    return answer.json()
  } finally {
    await stop()
  }
}

if (resolve(process.argv[1] ?? '') === fileURLToPath(import.meta.url))
  console.log(JSON.stringify(await openApiDocument()))
