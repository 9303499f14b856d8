/** Bundles the browser client into `dist/frontend/client/`: each module, and all that it imports, in several formats. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { minify } from 'terser'
import { build } from 'vite'
import { replaceFile } from './replace-file.mjs'

const folder = fileURLToPath(new URL('../dist/frontend/client/', import.meta.url))
const root = fileURLToPath(new URL('../frontend/client/', import.meta.url))

// Terser takes 2 % off what Vite has minified. There is a limit: test/frontend/client/bundle.test.ts.
const ENDINGS = { es: '.js', cjs: '.cjs', iife: '.iife.js' }

/** The server serves the first and the last, without the signer. `extend`: a script adds to the global of another. */
const BUNDLES = [
  { entry: 'page.ts', name: 'channelstream', formats: ['es', 'iife'] },
  { entry: 'index.ts', name: 'index', formats: ['es', 'cjs'] },
  { entry: 'channels.ts', name: 'channels', formats: ['es', 'cjs', 'iife'], extend: true },
]

await mkdir(folder, { recursive: true })
for (const { entry, name, formats, extend = false } of BUNDLES) {
  const builds = await build({
    root,
    configFile: false,
    logLevel: 'warn',
    build: {
      write: false,
      target: 'es2022',
      sourcemap: true,
      // Vite does not minify ES modules of libraries by default. These are served to browsers as they are.
      rolldownOptions: { output: { minify: true, extend } },
      lib: {
        entry,
        name: 'Channelstream',
        formats,
        fileName: (format) => `${name}${ENDINGS[format]}`,
      },
    },
  })
  const chunks = builds.flatMap(({ output }) => output).filter(({ type }) => type === 'chunk')
  for (const { fileName, code, map } of chunks) {
    const minified = await minify(code, {
      module: !fileName.includes('.iife.'),
      ecma: 2020,
      compress: { passes: 3 },
      sourceMap: { content: JSON.stringify(map), includeSources: true, url: `${fileName}.map` },
    })
    await replaceFile(join(folder, fileName), minified.code)
    await replaceFile(join(folder, `${fileName}.map`), minified.map)
  }
}
