import { defineConfig } from 'vite'

// Set for every build, including those that tests start: otherwise Lit includes its development checks and warnings.
process.env['NODE_ENV'] = 'production'

export default defineConfig({
  root: `${import.meta.dirname}/admin`,
  // Relative to the page, `/admin`, so that it works below the path prefix of a proxy.
  base: './',
  build: {
    outDir: '../../dist/frontend/admin',
    emptyOutDir: true,
    assetsDir: 'admin/assets',
    assetsInlineLimit: 0, // the page's Content-Security-Policy allows no data: URLs
    modulePreload: { polyfill: false },
    target: 'es2022',
  },
})
