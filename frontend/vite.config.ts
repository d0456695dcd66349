// Builds the pages into the server's folder of assets: one HTML file for each application, hashed files beside them.
import { defineConfig } from 'vitest/config'

export default defineConfig({
  // Applications may be mounted anywhere, so every address is relative to the page.
  base: './',
  build: {
    outDir: '../appliance/servers/web/assets',
    emptyOutDir: true,
    target: 'es2022',
    // No data: addresses for files and no inline script, which the Content-Security-Policy would refuse.
    assetsInlineLimit: 0,
    assetsDir: 'static',
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rollupOptions: { input: ['admin.html', 'account.html', 'webmail.html'] },
  },
  server: {
    host: '127.0.0.1',
    // `npm run dev` against a running server: pages from here, calls from there (MOXPY_WEB=http://localhost:1080/admin).
    proxy: { '^/(api|events|export|import)': process.env['MOXPY_WEB'] ?? 'http://localhost:1080' },
  },
  test: { environment: 'happy-dom', include: ['test/**/*.test.{ts,tsx}'], testTimeout: 60_000 }, // Of machines that are busy, too.
})
