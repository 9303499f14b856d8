import { defineConfig } from 'vite'

/** Bundles the script of the explorer. `scripts/build-explorer.mjs` writes it and copies the other files. */
export default defineConfig({
  logLevel: 'warn',
  build: {
    write: false,
    target: 'es2022',
    rolldownOptions: { output: { minify: true } },
    lib: { entry: 'explorer.ts', formats: ['es'], fileName: () => 'explorer.js' },
  },
})
