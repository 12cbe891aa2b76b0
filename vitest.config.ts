import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: [
      'packages/*/src/**/*.test.ts',
      'apps/*/src/**/*.test.ts',
      'examples/**/*.test.ts',
      'bench/src/**/*.test.ts',
      'fuzz/src/**/*.test.ts',
      'scripts/**/*.test.ts',
      'docs/**/*.test.ts',
      'deploy/**/*.test.ts',
    ],
    // Native sessions live in worker threads of their own; forks keep a crashed one from taking the runner along.
    pool: 'forks',
    // V8 frees WebAssembly code that threads share twice, and aborts; see packages/cli/src/main.ts.
    execArgv: ['--no-wasm-code-gc'],
    // A slow or busy machine: tests wait for events, so a long limit costs nothing.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 15_000 } },
  },
});
