/** The server as one executable file, which `scripts/build-binary.mjs` makes. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from '../docs/running.ts'

interface Script {
  readonly whyNotInjectable: (node: string) => Promise<string | undefined>
}

const script = new URL('../../scripts/injectable-node.mjs', import.meta.url).href
export const { whyNotInjectable } = (await import(script)) as Script

/** Why there can be no executable with this Node; undefined if there can be one. */
export const noBinary = await whyNotInjectable(process.execPath)

export interface Binary {
  readonly path: string
  remove(): void
}

/** Builds it in a folder that has nothing else. */
export async function buildBinary(): Promise<Binary> {
  const folder = mkdtempSync(join(tmpdir(), 'channelstream-binary-'))
  const path = join(folder, 'channelstream')
  await run(process.execPath, ['scripts/build-binary.mjs', path])
  return { path, remove: () => rmSync(folder, { recursive: true }) }
}
