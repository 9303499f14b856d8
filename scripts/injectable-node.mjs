/** Which programs `node` can become one file with the server, and how (https://nodejs.org/api/single-executable-applications.html). */
import { readFile } from 'node:fs/promises'

/** Where Node.js looks for the program, and the mark in its own bytes that says whether it has one. */
export const RESOURCE = 'NODE_SEA_BLOB'
export const FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2'

/**
 * Resolves with the reason why nothing can be put into this program `node`, or with undefined.
 *
 * @param {string} node The path of the program. @returns {Promise<string | undefined>}
 */
export async function whyNotInjectable(node) {
  if (process.platform !== 'linux')
    return `It is made on Linux only, and this is ${process.platform}.`
  if ((await readFile(node)).includes(`${FUSE}:0`)) return undefined
  return (
    `Nothing can be put into ${node}. Some packages of Linux distributions, such as nodejs of Debian, have the code of ` +
    'Node.js in a library (libnode). Use a program from https://nodejs.org, for example.'
  )
}
