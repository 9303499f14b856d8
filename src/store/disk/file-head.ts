import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { DataDirError, NewerFormatError } from './data-dir-error.ts'
import { FORMAT } from './directory.ts'
import type { FileHead } from './directory.ts'

/** Heads are short. */
const MAX_HEAD_BYTES = 4096

/** Whether the file has no head, because the process ended while it created the file. */
export function isUnused(path: string): boolean {
  const text = readFrom(path, 0, MAX_HEAD_BYTES)
  return text === '' || (text.length < MAX_HEAD_BYTES && /^#[^\n]*(\n\{[^\n]*)?$/.test(text))
}

/** Reads the head of a data file. Throws `DataDirError` if it is none, or one of a newer version. */
export function headOf(path: string): FileHead {
  const head = parsed(readFrom(path, 0, MAX_HEAD_BYTES).split('\n', 2)[1] ?? '')
  if (head === undefined)
    throw new DataDirError(
      `data_dir: ${path} is not a data file of Channelstream, or its beginning is damaged. ` +
        'Use another directory, or move the file away',
    )
  if (head.format > FORMAT)
    throw new NewerFormatError(
      `data_dir: ${path} was written by version ${head.version}, in the newer format ${head.format}. ` +
        `This version reads formats up to ${FORMAT}. Start that version again, or use another directory`,
    )
  return head
}

function parsed(text: string): FileHead | undefined {
  try {
    const head = JSON.parse(text) as Partial<FileHead> | null
    const isHead = typeof head?.format === 'number' && typeof head.epoch === 'string'
    return isHead ? (head as FileHead) : undefined
  } catch {
    return undefined
  }
}

/** Reads a part of a file, as one character for each byte. */
export function readFrom(path: string, position: number, most = Infinity): string {
  const fd = openSync(path, 'r')
  try {
    const length = Math.min(fstatSync(fd).size - position, most)
    const bytes = Buffer.alloc(Math.max(length, 0))
    const read = readSync(fd, bytes, 0, bytes.length, position)
    return bytes.toString('latin1', 0, read)
  } finally {
    closeSync(fd)
  }
}
