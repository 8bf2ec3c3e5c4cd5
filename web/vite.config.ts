import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { tanstackRouter } from '@tanstack/router-plugin/vite';
import react from '@vitejs/plugin-react';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

// What Steward itself answers; the rest is the console. STEWARD_URL: where it runs (default: this machine, port 8080).
const served = ['/v1', '/wechat', '/connect', '/healthz', '/readyz', '/metrics', '/docs'];
const steward = process.env.STEWARD_URL ?? 'http://127.0.0.1:8080';

// A build empties dist, but dist/.gitkeep is committed: without it `go build` fails in a fresh clone.
function keepDistInGit(): Plugin {
  return {
    name: 'keep-dist-in-git',
    apply: 'build',
    closeBundle() {
      writeFileSync(fileURLToPath(new URL('dist/.gitkeep', import.meta.url)), '');
    },
  };
}

export default defineConfig(({ mode }) => ({
  base: '/',
  plugins: [
    tanstackRouter({ target: 'react', autoCodeSplitting: mode !== 'test', quoteStyle: 'single', semicolons: true }),
    react(),
    keepDistInGit(),
  ],
  server: {
    // changeOrigin would break the same-origin check of the session routes: Steward compares Origin with Host.
    proxy: Object.fromEntries(served.map((path) => [path, { target: steward, changeOrigin: false }])),
  },
  build: {
    target: 'es2022',
    // Libraries change rarely: apart from our code they stay in the browser's cache over many releases.
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [
            { name: 'react', test: /node_modules[\\/](react|react-dom|scheduler)[\\/]/, priority: 2 },
            { name: 'antd', test: /node_modules[\\/](antd|@ant-design|@rc-component|dayjs)[\\/]/, priority: 1 },
          ],
        },
      },
    },
    chunkSizeWarningLimit: 1500,
  },
  test: {
    environment: 'jsdom',
    environmentOptions: { jsdom: { url: 'http://console.test/' } },
    include: ['src/**/*.test.{ts,tsx}'],
    setupFiles: ['src/testing/setup.ts'],
    testTimeout: 60_000,
  },
}));
