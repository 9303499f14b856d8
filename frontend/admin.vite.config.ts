import { defineConfig } from 'vite'

// Whoever starts the build, a test too: for anything else Lit comes with checks and warnings of its own.
process.env['NODE_ENV'] = 'production'

export default defineConfig({
  root: `${import.meta.dirname}/admin`,
  // Seen from the page, `/admin`: below whatever prefix a proxy puts in front.
  base: './',
  build: {
    outDir: '../../dist/frontend/admin',
    emptyOutDir: true,
    assetsDir: 'admin/assets',
    assetsInlineLimit: 0, // the page's policy allows no data: urls
    modulePreload: { polyfill: false },
    target: 'es2022',
  },
})
