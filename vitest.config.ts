import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vitest/config'

// One project per suite. `node scripts/test.mjs` prepares what a suite needs and names the projects to run;
// `npx vitest run --project unit src/grid` runs the same tests without any preparation.
const alone = { fileParallelism: false, testTimeout: 60_000, hookTimeout: 120_000 }

export default defineConfig({
  test: {
    projects: [
      {
        plugins: [svelte({ configFile: false })],
        test: {
          name: 'unit',
          include: [
            'src/**/*.test.ts',
            'console/**/*.test.ts',
            'scripts/**/*.test.ts',
            'test/{sim,scenarios,support,upgrade,fuzz,limits}/**/*.test.ts',
            'test/rooms-canary/*.test.ts',
          ],
          maxWorkers: 2,
          testTimeout: 20_000,
        },
      },
      { test: { name: 'servers', include: ['test/servers/**/*.test.ts'], ...alone } },
      { test: { name: 'lab', include: ['test/lab/**/*.test.ts'], ...alone } },
      { test: { name: 'e2e', include: ['test/e2e/**/*.test.ts'], ...alone } },
      { test: { name: 'image', include: ['test/image/**/*.test.ts'], ...alone, testTimeout: 300_000, hookTimeout: 300_000 } },
    ],
  },
})
