import { defineConfig } from 'vite'

/** The script of the explorer's page. `scripts/build-explorer.mjs` writes it, and lays the other files beside it. */
export default defineConfig({
  logLevel: 'warn',
  build: {
    write: false,
    target: 'es2022',
    rolldownOptions: { output: { minify: true } },
    lib: { entry: 'explorer.ts', formats: ['es'], fileName: () => 'explorer.js' },
  },
})
