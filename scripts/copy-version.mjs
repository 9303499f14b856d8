/** Gives the client's package the version of `package.json`. `npm version` runs it. */
import { readFile, writeFile } from 'node:fs/promises'

const CLIENT = 'frontend/client/package.json'
const { version } = JSON.parse(await readFile('package.json', 'utf8'))
const text = await readFile(CLIENT, 'utf8')
await writeFile(CLIENT, text.replace(/^ {2}"version": ".*"/m, `  "version": "${version}"`))
