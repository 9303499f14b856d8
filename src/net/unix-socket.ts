/** Listens on a Unix domain socket. */
import { chmod, lstat, unlink } from 'node:fs/promises'
import { connect, type Server } from 'node:net'
import { reasonOf } from '../lib/reason.ts'

/**
 * Lets a server listen at `path`, with this mode: those who may write to it may connect. Removes the socket that an
 * earlier process left there. Rejects if another process listens, or if there is anything else than a socket. Node
 * removes the socket when the server is closed.
 */
export async function bindPath(
  server: Server,
  { path, mode }: { readonly path: string; readonly mode: number },
  listen: () => Promise<unknown>,
): Promise<void> {
  try {
    await removeAbandoned(path)
    await listen()
  } catch (error) {
    throw new Error(`cannot listen on unix:${path}: ${reasonOf(error)}`, { cause: error })
  }
  try {
    await chmod(path, mode)
  } catch (error) {
    server.close()
    throw error
  }
}

async function removeAbandoned(path: string): Promise<void> {
  const found = await lstat(path).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  })
  if (found === undefined) return
  if (!found.isSocket()) throw new Error('there is a file that is no socket')
  const problem = await knock(path)
  if (problem === undefined) throw new Error('another process listens there')
  if (codeOf(problem) !== 'ECONNREFUSED') throw problem
  await unlink(path)
}

/** Connects. Resolves with the error, or with undefined if somebody listens. */
function knock(path: string): Promise<Error | undefined> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.once('error', resolve)
    socket.once('connect', () => {
      socket.destroy()
      resolve(undefined)
    })
  })
}

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code
