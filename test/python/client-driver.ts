/** Drives examples/python/channelstream_client.py, with Debian's Python. */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import { DEBIAN_PYTHON } from '../helpers/debian-packages.ts'
import { within } from '../helpers/http.ts'
import type { ChildProcess } from 'node:child_process'

const HERE = fileURLToPath(new URL('./', import.meta.url))
export const CLIENT = fileURLToPath(
  new URL('../../examples/python/channelstream_client.py', import.meta.url),
)

/** Without files of byte code beside the examples. `-W error` in scripts: a socket that is left open is an error. */
export const pythonEnv = (): NodeJS.ProcessEnv => ({
  PATH: process.env['PATH'],
  PYTHONPATH: fileURLToPath(new URL('../../examples/python/', import.meta.url)),
  PYTHONDONTWRITEBYTECODE: '1',
})

export interface PythonError {
  readonly kind: string
  /** The classes that it is of. */
  readonly kinds: readonly string[]
  readonly message: string
  readonly code?: string
  readonly status?: number | null
  readonly fields?: Readonly<Record<string, unknown>>
  readonly retry_after?: number
  readonly attempts?: number
}

type Result = { readonly answer: unknown } | { readonly error: PythonError }

/** A Python process with a client. */
export class PythonClient {
  readonly #child: ChildProcess
  readonly #lines: AsyncIterator<string>
  #stderr = ''
  shown = ''

  private constructor(options: object) {
    const args = [`${HERE}client_driver.py`, JSON.stringify({ secret: 'secret', ...options })]
    const child = spawn(DEBIAN_PYTHON, args, { env: pythonEnv() })
    child.stderr.on('data', (part: Buffer) => (this.#stderr += part.toString()))
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    this.#child = child
  }

  /** Starts one that ends with the test. `options` are those of the client in Python. */
  static async start(options: { readonly url: string } & Readonly<Record<string, unknown>>) {
    const client = new PythonClient(options)
    const ended = new Promise((resolve) => client.#child.once('close', resolve))
    onTestFinished(async () => {
      client.#child.stdin?.end()
      await within(ended, 'Python to end')
    })
    const { shown } = JSON.parse(await client.#next()) as { readonly shown: string }
    client.shown = shown
    return client
  }

  /** Calls a method. Rejects if it raises an error. */
  async call(method: string, args: readonly unknown[] = [], named: object = {}): Promise<unknown> {
    const result = await this.#run(method, args, named)
    if ('error' in result) throw new Error(JSON.stringify(result.error))
    return result.answer
  }

  /** Calls a method. Resolves with the error that it raises, and rejects if it raises none. */
  async error(method: string, args: readonly unknown[] = [], named: object = {}) {
    const result = await this.#run(method, args, named)
    if ('error' in result) return result.error
    throw new Error(`it was answered: ${JSON.stringify(result.answer)}`)
  }

  async #run(method: string, args: readonly unknown[], named: object): Promise<Result> {
    this.#child.stdin?.write(`${JSON.stringify([method, args, named])}\n`)
    return JSON.parse(await this.#next()) as Result
  }

  async #next(): Promise<string> {
    const line = await within(this.#lines.next(), 'an answer of Python')
    if (line.done) throw new Error(`Python has ended: ${this.#stderr}`)
    return line.value
  }
}

/** Runs a script with the client. Resolves with the JSON that it prints. Rejects with its errors. */
export async function runPython(
  script: string,
  args: readonly string[] = [],
  { python = DEBIAN_PYTHON, input = '' } = {},
): Promise<unknown> {
  const child = spawn(python, ['-W', 'error', '-c', script, ...args], { env: pythonEnv() })
  onTestFinished(() => void child.kill('SIGKILL'))
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (part: Buffer) => (stdout += part.toString()))
  child.stderr.on('data', (part: Buffer) => (stderr += part.toString()))
  child.stdin.end(input)
  const closed = new Promise<number | null>((resolve) => void child.once('close', resolve))
  const code = await within(closed, 'the script to end', 60_000)
  if (code !== 0 || stderr !== '') throw new Error(`it ended with ${code}: ${stderr}${stdout}`)
  return JSON.parse(stdout)
}
