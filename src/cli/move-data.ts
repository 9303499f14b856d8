/** The commands `export` and `import`: what one store keeps, for another one. */
import { existsSync } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { diskOptions, redisOptions, storeOptions } from '../app/options.ts'
import { readSnapshot, writeSnapshot } from '../store/snapshot/snapshot.ts'
import { CommandError } from './arguments.ts'
import type { Config } from '../config/schema.ts'
import type { Item } from '../store/snapshot/records.ts'
import type { Content, OpenContent } from '../store/snapshot/snapshot.ts'
import type { Output } from './running.ts'

type Print = Output['print']

/** Writes a snapshot, and says on standard error what is in it. Rejects if that is not possible. */
export async function exportData(
  config: Config,
  output: NodeJS.WritableStream,
  printError: Print,
): Promise<number> {
  const content = await openContent(config)
  const counts = newCounts()
  const { facts } = content
  const lines = writeSnapshot({ facts, items: counted(content.items, counts) })
  try {
    await pipeline(Readable.from(lines), output, { end: false })
  } catch (error) {
    // The reader has closed the pipe, and needs no more.
    if ((error as NodeJS.ErrnoException).code === 'EPIPE') return 1
    throw error
  } finally {
    await content.release()
  }
  printError(`Exported ${described(counts)}.`)
  if (content.waitingForWebhooks > 0)
    printError(
      `Not exported: ${content.waitingForWebhooks} events that wait for webhooks. Endpoints get a "resync" from the new server.`,
    )
  return 0
}

/** Reads a snapshot, and prints what was in it. Rejects if it is not whole, and then keeps nothing of it. */
export async function importData(
  config: Config,
  input: NodeJS.ReadStream,
  print: Print,
): Promise<number> {
  checkHasStore(config)
  if (input.isTTY) throw new CommandError('Usage: channelstream import [options] < FILE')
  const { facts, items } = await readSnapshot(input)
  const counts = newCounts()
  await fill(config, { facts, items: counted(items, counts) })
  print(`Imported ${described(counts)}.`)
  return 0
}

async function openContent(config: Config): Promise<OpenContent> {
  checkHasStore(config)
  if (config.redis_url !== '') {
    const { openForExport } = await import('../store/redis/export.ts')
    return openForExport(redisOptions(config), Date.now())
  }
  const { directory } = diskOptions(config)
  if (!existsSync(directory)) throw new CommandError(`There is no directory ${directory}`)
  const { openForExport } = await import('../store/disk/export.ts')
  return openForExport(directory, Date.now())
}

async function fill(config: Config, content: Content): Promise<void> {
  const { gcUsersMs, gcChannelsMs } = storeOptions(config)
  const disk = diskOptions(config)
  if (config.redis_url === '') {
    const { importToDirectory } = await import('../store/disk/import.ts')
    return importToDirectory(content, { ...disk, gcUsersMs, gcChannelsMs }, Date.now())
  }
  const { importToRedis } = await import('../store/redis/import.ts')
  const rules = { ...redisOptions(config), gcUsersMs, gcChannelsMs }
  return importToRedis(content, { ...rules, connectionWaitMs: disk.pollWaitMs }, Date.now())
}

function checkHasStore({ redis_url: redis, data_dir: directory }: Config): void {
  if (redis === '' && directory === '')
    throw new CommandError(
      'Name the store with --data-dir or --redis-url. Without them a server keeps everything in its memory, where no other program can read it.',
    )
}

/** How many of each type there were. */
type Counts = Record<Item['type'], number>

const newCounts = (): Counts => ({
  ...{ user: 0, channel: 0, event: 0, private_event: 0 },
  ...{ connection: 0, published_key: 0 },
})

async function* counted(items: Content['items'], counts: Counts): AsyncGenerator<Item> {
  for await (const item of items) {
    counts[item.type]++
    yield item
  }
}

function described(counts: Counts): string {
  const { channel, user, event, private_event: privateEvents, connection } = counts
  const parts = [
    ...[`${channel} channels`, `${event} events in them`, `${user} users`],
    ...[`${privateEvents} private events`, `${connection} connections`],
  ]
  return parts.join(', ')
}
