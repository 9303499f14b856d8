/** This server with a `data_dir`: everything is on disk as well. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { missing, running, startChannelstream } from './channelstream.mjs'

export const DISK = {
  name: 'channelstream-disk',
  about: 'this server with a data_dir on the disk of temporary files, synced every second',
  missing,
  /** @param {import('./peer.mjs').Place} place */
  async start(place) {
    const directory = mkdtempSync(join(tmpdir(), 'channelstream-bench-'))
    const server = await startChannelstream(place, { 'data-dir': directory })
    return {
      ...running({ port: server.port, pids: [server.pid] }, place.load),
      stop: async () => {
        await server.stop()
        rmSync(directory, { recursive: true, force: true })
      },
    }
  },
}
