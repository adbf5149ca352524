import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

// `npm run dev` shows the page beside `lookback serve --no-token --no-open`.
// One script and one style with fixed names: the server serves them, and an exported page has them inside.
export default defineConfig({
  plugins: [svelte()],
  server: { proxy: { '/api': { target: 'http://127.0.0.1:4664', changeOrigin: true, headers: { origin: 'http://127.0.0.1:4664' } } } },
  build: {
    outDir: '../crates/view/assets/page',
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0,
    cssCodeSplit: false,
    modulePreload: false,
    rollupOptions: {
      output: {
        entryFileNames: 'app.js',
        assetFileNames: 'app[extname]',
        inlineDynamicImports: true,
      },
    },
  },
});
