import { readFileSync, writeFileSync } from 'node:fs'
import { FrameChain, readFrames } from '../../src/store/disk/frames.ts'
import type { FileHead } from '../../src/store/disk/directory.ts'

/** Changes the head of a data file, and makes all frames anew. */
export function rewriteHead(path: string, change: Partial<FileHead>): void {
  const chain = new FrameChain()
  const frames: Buffer[] = []
  readFrames(path, ({ kind, payload }) => {
    const head = (): FileHead => ({ ...(JSON.parse(payload.toString()) as FileHead), ...change })
    const content = kind === 'h' ? Buffer.from(JSON.stringify(head())) : payload
    frames.push(...chain.next(kind, [content]))
  })
  if (frames.length === 0) throw new Error(`no frames: ${readFileSync(path, 'utf8')}`)
  writeFileSync(path, Buffer.concat(frames))
}
