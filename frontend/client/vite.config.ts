import { defineConfig } from 'vite'

const NAMES: Readonly<Record<string, string>> = {
  es: 'channelstream.js',
  cjs: 'channelstream.cjs',
  iife: 'channelstream.iife.js',
}

/**
 * Bundles everything that pages import into one file, in three forms: an ES module, a CommonJS module, and a script that
 * sets the global `Channelstream`. `scripts/build-client.mjs` writes them.
 */
export default defineConfig({
  logLevel: 'warn',
  build: {
    write: false,
    target: 'es2022',
    sourcemap: true,
    // Vite does not minify ES modules of libraries by default. This one is served to browsers as it is.
    rolldownOptions: { output: { minify: true } },
    lib: {
      entry: 'index.ts',
      name: 'Channelstream',
      formats: ['es', 'cjs', 'iife'],
      fileName: (format) => NAMES[format] ?? format,
    },
  },
})
