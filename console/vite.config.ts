import { fileURLToPath } from 'node:url'
import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vite'

// `npx vite build console` puts the page where every node serves it from. Paths are relative, so a proxy may mount it anywhere,
// and nothing is inlined, so that the strictest content policy holds.
export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  base: './',
  plugins: [svelte({ configFile: false })],
  build: {
    outDir: '../dist/console',
    emptyOutDir: true,
    target: 'es2023',
    cssTarget: ['chrome123', 'firefox121', 'safari17.5'],
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // cytoscape alone is beyond the usual warning; it loads beside the page, not before it.
    chunkSizeWarningLimit: 700,
  },
})
