/** Builds what has changed, then runs the program with the arguments given. For `npm run dev`, which starts it again. */
import { fileURLToPath } from 'node:url'
import './build-missing.mjs'

const main = new URL('../dist/main.js', import.meta.url)
process.argv[1] = fileURLToPath(main)
await import(main.href)
