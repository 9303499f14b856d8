/** The build on small sources of its own: what is built again, and what is not. */
import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it, onTestFinished } from 'vitest'
import { ROOT } from '../docs/markdown.ts'

const run = promisify(execFile)
/** Each build adds a letter, so that the file tells how often it was made. */
const COUNTING = `node -e "fs.mkdirSync('dist',{recursive:true});fs.appendFileSync('dist/main.js','x')"`

async function project(build = COUNTING) {
  const folder = await mkdtemp(join(tmpdir(), 'channelstream-build-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const write = async (path: string, text: string): Promise<void> => {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), text)
  }
  for (const name of ['build-missing.mjs', 'replace-file.mjs'])
    await cp(fileURLToPath(new URL(`scripts/${name}`, ROOT)), join(folder, 'scripts', name))
  await write('scripts/build-server.mjs', '')
  await write(
    'package.json',
    JSON.stringify({ type: 'module', scripts: { 'build:server': build } }),
  )
  await write('package-lock.json', '{}')
  await write('src/one.ts', 'one')
  await write('src/deep/two.ts', 'two')
  return {
    folder,
    write,
    build: () => run(process.execPath, ['scripts/build-missing.mjs', 'server'], { cwd: folder }),
    builds: async () => (await readFile(join(folder, 'dist/main.js'), 'utf8')).length,
  }
}

it('says what it builds, and builds nothing that is there', async () => {
  const { build, builds } = await project()
  expect((await build()).stderr).toBe('Building the server …\n')
  expect((await build()).stderr).toBe('')
  expect(await builds()).toBe(1)
})

it('builds again after a change, whatever the time of the file', async () => {
  const { folder, write, build, builds } = await project()
  await build()
  await write('src/deep/two.ts', 'TWO')
  await utimes(join(folder, 'src/deep/two.ts'), 0, 0)
  await build()
  expect(await builds()).toBe(2)
})

it('builds again after a file was removed, or renamed', async () => {
  const { folder, write, build, builds } = await project()
  await build()
  await rm(join(folder, 'src/one.ts'))
  await build()
  await rm(join(folder, 'src/deep/two.ts'))
  await write('src/deep/three.ts', 'two')
  await build()
  expect(await builds()).toBe(3)
})

it('builds again what is missing', async () => {
  const { folder, build, builds } = await project()
  await build()
  await rm(join(folder, 'dist/main.js'))
  await build()
  expect(await builds()).toBe(1)
})

it('fails with the build, and tries again the next time', async () => {
  const { build } = await project(`${COUNTING} && exit 1`)
  for (const time of [1, 2])
    await expect(build(), `time ${time}`).rejects.toMatchObject({ code: 1 })
})
