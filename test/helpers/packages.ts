/** The packages as npm would publish them, unpacked into a folder as a user has them. */
import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ROOT } from '../docs/markdown.ts'
import { run } from '../docs/running.ts'

const root = fileURLToPath(ROOT)

const PACKAGES = [
  { name: 'channelstream', folder: root },
  { name: 'channelstream-client', folder: join(root, 'frontend', 'client') },
]

export interface Installed {
  readonly folder: string
  remove(): Promise<void>
}

/** Packs both packages, after their types are built, and unpacks them into `node_modules` of a new folder. */
export async function installPackages(): Promise<Installed> {
  await run(process.execPath, ['scripts/fill-client-package.mjs'])
  const folder = await mkdtemp(join(tmpdir(), 'channelstream-packages-'))
  for (const { name, folder: source } of PACKAGES) {
    const args = ['pack', source, '--json', '--ignore-scripts', '--pack-destination', folder]
    const [packed] = JSON.parse((await run('npm', args)).stdout) as [{ filename: string }]
    const target = join(folder, 'node_modules', name)
    await mkdir(target, { recursive: true })
    const archive = join(folder, packed.filename)
    await run('tar', ['-xzf', archive, '-C', target, '--strip-components=1'])
  }
  await symlink(join(root, 'node_modules', '@types'), join(folder, 'node_modules', '@types'))
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) }
}
