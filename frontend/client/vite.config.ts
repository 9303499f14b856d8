import { defineConfig } from 'vite'

/** Bundles everything that pages import into one ES module. `scripts/build-client.mjs` writes it. */
export default defineConfig({
  logLevel: 'warn',
  build: {
    write: false,
    target: 'es2022',
    sourcemap: true,
    // Vite does not minify ES modules of libraries by default. This one is served to browsers as it is.
    rolldownOptions: { output: { minify: true } },
    lib: { entry: 'index.ts', formats: ['es'], fileName: () => 'channelstream.js' },
  },
})
