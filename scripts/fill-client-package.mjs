/** Copies the built client into `frontend/client/`, which is published as `channelstream-client`. */
import { execFileSync } from 'node:child_process'
import { cp, readdir, rm } from 'node:fs/promises'

const ROOT = new URL('../', import.meta.url)
const BUILT = new URL('dist/frontend/client/', ROOT)
const PACKAGE = new URL('frontend/client/', ROOT)

const build = ['scripts/build-missing.mjs', 'client', 'types']
execFileSync(process.execPath, build, { cwd: ROOT, stdio: ['ignore', 2, 2] })
await rm(new URL('dist/', PACKAGE), { recursive: true, force: true })
for (const name of await readdir(BUILT))
  if (/^(index|channelstream|channels)\./.test(name))
    await cp(new URL(name, BUILT), new URL(`dist/${name}`, PACKAGE))
await cp(new URL('LICENSE', ROOT), new URL('LICENSE', PACKAGE))
