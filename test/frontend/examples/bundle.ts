/** Bundles pages of the tests with the examples and the built client, as a bundler of a user would. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { rolldown } from 'rolldown'

const fileAt = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

/** Returns one module with all that the file imports, frameworks in their development builds. */
export async function bundle(name: string, platform: 'browser' | 'node'): Promise<string> {
  const build = await rolldown({
    input: fileAt(name),
    platform,
    transform: {
      define: {
        'process.env.NODE_ENV': '"development"',
        __VUE_OPTIONS_API__: 'true',
        __VUE_PROD_DEVTOOLS__: 'false',
        __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: 'true',
      },
    },
  })
  try {
    const { output } = await build.generate({ format: 'esm', codeSplitting: false })
    return output[0].code
  } finally {
    await build.close()
  }
}

/** Bundles a file, and loads it into this process. */
export async function loaded<Module>(name: string): Promise<Module> {
  const folder = await mkdtemp(join(tmpdir(), 'channelstream-examples-'))
  try {
    const file = join(folder, 'module.mjs')
    await writeFile(file, await bundle(name, 'node'))
    return (await import(pathToFileURL(file).href)) as Module
  } finally {
    await rm(folder, { recursive: true })
  }
}
