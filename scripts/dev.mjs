/**
 * Builds what has changed, then runs the program with the given arguments. Used by `npm run dev`, which restarts it.
 */
import './build-missing.mjs'
import { fileURLToPath } from 'node:url'

const main = new URL('../dist/main.js', import.meta.url)
process.argv[1] = fileURLToPath(main)
await import(main.href)
