/**
 * Builds the type declarations in `dist/`: one file beside each module that others import. Those of the client and of
 * the library for backends need no other declarations, and exist for CommonJS too.
 */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bundleDeclarations } from './declarations.mjs'
import { replaceFile } from './replace-file.mjs'

const ROOT = fileURLToPath(new URL('../', import.meta.url))

await compile('tsconfig.build.json')
for (const { project, entry, made } of [
  { project: 'tsconfig.json', entry: 'src/backend/index.ts', made: 'dist/backend/index' },
  ...['index', 'channels'].map((name) => ({
    project: 'frontend/client/tsconfig.json',
    entry: `frontend/client/${name}.ts`,
    made: `dist/frontend/client/${name}`,
  })),
]) {
  const text = bundleDeclarations(join(ROOT, project), join(ROOT, entry))
  for (const ending of ['.d.ts', '.d.cts']) await replaceFile(join(ROOT, made + ending), text)
}

/** @param {string} project */
async function compile(project) {
  // Not `tsc`: two versions of TypeScript are installed, and both have a program of this name.
  const tsc = fileURLToPath(import.meta.resolve('typescript/bin/tsc'))
  const child = spawn(process.execPath, [tsc, '-p', project, '--noCheck'], {
    cwd: ROOT,
    stdio: 'inherit',
  })
  const code = await new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', resolve)
  })
  if (code !== 0) process.exit(1)
}
