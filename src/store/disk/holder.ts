import { renameSync, statSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { DataDirError } from './data-dir-error.ts'
import { giveToOwner } from './owner.ts'
import type { Server } from 'node:net'

const SOCKET = 'lock'
/** The limit of the system for paths of sockets is 104 to 108 bytes. */
const MAX_PATH_BYTES = 100
/** A holder that takes longer is frozen. */
const ANSWER_MS = 2000

export interface Hold {
  release(): Promise<void>
}

/**
 * Takes hold of a data directory, so that no other process uses it. Rejects if another one does, and says which.
 *
 * It is a listening socket: the system closes it when the process ends, however it ends, and it works between
 * containers that share a directory.
 */
export async function holdDirectory(directory: string): Promise<Hold> {
  const path = join(directory, SOCKET)
  if (Buffer.byteLength(path) > MAX_PATH_BYTES)
    throw new DataDirError(
      `data_dir: the path ${directory} is too long for the lock in it; use one of at most ${MAX_PATH_BYTES - SOCKET.length - 1} bytes`,
    )
  for (;;) {
    const inode = inodeOf(path)
    const server = await listening(path)
    if (server) {
      // If this process is killed, the server of another user finds the socket and has to see that nobody listens.
      await giveToOwner(directory, path)
      return { release: () => closed(server) }
    }
    const holder = await holderAt(path)
    if (holder !== undefined)
      throw new DataDirError(
        `data_dir: ${directory} is in use by ${holder}. Stop that server, or use another directory`,
      )
    setAside(path, inode)
  }
}

const inodeOf = (path: string): number | undefined => statSync(path, { throwIfNoEntry: false })?.ino

/** Removes the socket of a process that has ended, unless another process has taken its place meanwhile. */
function setAside(path: string, inode: number | undefined): void {
  if (inode === undefined || inodeOf(path) !== inode) return
  const aside = `${path}.old`
  try {
    renameSync(path, aside)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    return
  }
  // Between the look and the renaming, another process may have begun to hold the directory.
  if (inodeOf(aside) !== inode) renameSync(aside, path)
}

/** Undefined: the path is taken. */
function listening(path: string): Promise<Server | undefined> {
  const self = JSON.stringify({ pid: process.pid, host: hostname() })
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy())
    socket.end(self)
  })
  server.unref()
  return new Promise((resolve, reject) => {
    server.once('listening', () => resolve(server))
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE'
        ? resolve(undefined)
        : reject(new DataDirError(`data_dir: ${path} cannot be made: ${error.message}`)),
    )
    server.listen(path)
  })
}

const GONE = new Set(['ECONNREFUSED', 'ENOENT'])

/** Returns who listens. Undefined: nobody. */
function holderAt(path: string): Promise<string | undefined> {
  const socket = connect(path)
  socket.setTimeout(ANSWER_MS, () => socket.destroy())
  return new Promise((resolve) => {
    let [text, isNobody] = ['', false]
    socket.on('data', (part) => (text += part.toString()))
    // Any other error, and none, may be a holder that is frozen, busy or somebody else's.
    socket.on('error', ({ code = '' }: NodeJS.ErrnoException) => (isNobody = GONE.has(code)))
    socket.on('close', () => resolve(isNobody ? undefined : describe(text)))
  })
}

function describe(text: string): string {
  try {
    const { pid, host } = JSON.parse(text) as { pid: number; host: string }
    return `process ${pid} on ${host}`
  } catch {
    return 'a process that does not answer'
  }
}

const closed = (server: Server): Promise<void> =>
  new Promise((resolve) => server.close(() => resolve()))
