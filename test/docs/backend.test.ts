import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Channelstream } from '../../src/backend/channelstream.ts'
import { CLIENT_ERRORS } from '../../src/backend/index.ts'
import { startServer } from '../helpers/server.ts'
import { ROOT, fencesIn, readPage, sectionOf } from './markdown.ts'
import { at, run } from './running.ts'

const page = await readPage('docs/backend.md')

describe('docs/backend.md', () => {
  it('has an example that works as it stands', async () => {
    const server = await startServer()
    onTestFinished(() => server.close())
    const folder = await mkdtemp(join(tmpdir(), 'channelstream-docs-'))
    onTestFinished(() => rm(folder, { recursive: true, force: true }))
    await mkdir(join(folder, 'node_modules'))
    await symlink(fileURLToPath(ROOT), join(folder, 'node_modules', 'channelstream'))
    const [example = ''] = fencesIn(sectionOf(page, 'Start'), 'js')
    const file = join(folder, 'example.mjs')
    await writeFile(file, at(`127.0.0.1:${server.port}`, example))
    const { stdout } = await run(process.execPath, [file])
    expect(stdout).toMatch(/^users: \[ 'ann' \] conn_id: [0-9a-f-]{36}\n$/)
    expect(page).toContain("It prints `users: [ 'ann' ] conn_id:`")
  })

  it('lists every method', () => {
    const listed = [...sectionOf(page, 'Methods').matchAll(/^\| `(\w+)\(/gm)].map(
      ([, name]) => name,
    )
    const methods = Object.getOwnPropertyNames(Channelstream.prototype)
    const undocumented = ['constructor', 'close']
    expect(listed.toSorted()).toEqual(
      methods.filter((name) => !undocumented.includes(name)).toSorted(),
    )
  })

  it('lists every code of its own', () => {
    const listed = [...sectionOf(page, 'Errors').matchAll(/^\| `([A-Z_]+)`/gm)].map(
      ([, name]) => name,
    )
    expect(listed.toSorted()).toEqual(Object.keys(CLIENT_ERRORS).toSorted())
  })
})
