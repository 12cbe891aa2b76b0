import { defineConfig } from 'vitest/config';

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
/** Functions of their arguments: their files share a process, which takes a third of their time away. */
const PURE = [
  'packages/{api,fleet,onnx}/src/**/*.test.ts',
  'packages/train/src/!(parallel|browser|runs)/**/*.test.ts',
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
    expect: { poll: { timeout: 15_000 } },
    projects: [
      { extends: true, test: { name: 'pure', include: PURE, isolate: false } },
      // Without a list of its own of what to leave out, which would end that of the command line.
      {
        extends: true,
        test: { name: 'whole', include: [...ALL, ...PURE.map((path) => `!${path}`)] },
      },
    ],
  },
});
