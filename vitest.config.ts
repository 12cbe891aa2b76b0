import { defineConfig } from 'vitest/config';
import { LongestFirst } from './scripts/testing/longest-first.ts';
import { SHARING, SLOW_TESTS } from './scripts/testing/slow-tests.ts';

const ALL = [
  'packages/*/src/**/*.test.ts',
  'apps/*/src/**/*.test.ts',
  'examples/**/*.test.ts',
  'bench/src/**/*.test.ts',
  'fuzz/src/**/*.test.ts',
  'scripts/**/*.test.ts',
  'docs/**/*.test.ts',
  'deploy/**/*.test.ts',
];
/** They replace a module or what is in the environment, which other files would get too. */
const REPLACING = [
  'packages/federation/src/durability.test.ts',
  'packages/state/src/artifacts/gcs-artifacts.test.ts',
  'packages/train/src/parallel/threads/lost-thread.test.ts',
];
/** Each in a process of its own: one that crashes takes no other along. */
const APART = [
  ...SLOW_TESTS.filter((path) => !SHARING.some((folder) => path.startsWith(folder))).map((path) =>
    path.replace(/\*\*$/, '**/*.test.ts'),
  ),
  ...REPLACING,
];

export default defineConfig({
  test: {
    // Native sessions live in worker threads of their own; forks keep a crashed one from taking the runner along.
    pool: 'forks',
    // V8 frees WebAssembly code that threads share twice, and aborts; see packages/cli/src/main.ts.
    execArgv: ['--no-wasm-code-gc'],
    // A slow or busy machine: tests wait for events, so a long limit costs nothing.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    sequence: { sequencer: LongestFirst },
    expect: { poll: { timeout: 15_000 } },
    // By what they include: what they exclude would end the list of the command line.
    projects: [
      // They load what is imported once for all: half of their processor time goes away.
      {
        extends: true,
        test: {
          name: 'shared',
          include: [...ALL, ...APART.map((path) => `!${path}`)],
          isolate: false,
        },
      },
      { extends: true, test: { name: 'apart', include: APART } },
    ],
  },
});
