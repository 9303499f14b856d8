import { defineConfig } from 'vite'

/** One ES module of everything that pages import. `scripts/build-client.mjs` writes it. */
export default defineConfig({
  logLevel: 'warn',
  build: {
    write: false,
    target: 'es2022',
    sourcemap: true,
    // Vite leaves the modules of libraries as they are; this one is also served to browsers as it is.
    rolldownOptions: { output: { minify: true } },
    lib: { entry: 'index.ts', formats: ['es'], fileName: () => 'channelstream.js' },
  },
})
