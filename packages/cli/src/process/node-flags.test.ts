import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const MODULE = join(import.meta.dirname, './node-flags.ts');
const HUGE_PAGES = '--use-largepages=silent';
const SCRIPT = `
import { getHeapSpaceStatistics } from 'node:v8';
const { restartWithFlags } = await import(${JSON.stringify(MODULE)});
const { TEST_MEMORY } = process.env;
if (TEST_MEMORY) process.constrainedMemory = () => Number(TEST_MEMORY);
restartWithFlags();
const kept = [];
for (let i = 0; i < 2e7; i++) {
  const made = { a: i, b: [i] };
  if (i % 50 === 0) kept[(i / 50) % 20_000] = made;
}
const { space_size } = getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space');
console.log(JSON.stringify({ flags: process.execArgv.filter((flag) => /^--(heap|max.semi|use.large)/.test(flag)), youngMib: space_size / 2 ** 20, argument: process.argv.at(-1) }));
`;

/** Full collections during much garbage that lives for a while, with 64 MB that stay. */
const collectionsOf = (small: boolean): string => `
import { constants, PerformanceObserver } from 'node:perf_hooks';
const { restartWithFlags, keepHeapSmall } = await import(${JSON.stringify(MODULE)});
restartWithFlags();
keepHeapSmall(${small});
let full = 0;
new PerformanceObserver((list) => {
  for (const { detail } of list.getEntries()) if (detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR) full++;
}).observe({ entryTypes: ['gc'] });
const stays = Array.from({ length: 1e6 }, (_, i) => ({ i }));
const passing = [];
const allocate = (count) => {
  for (let i = 0; i < count; i++) passing[i % 400_000] = { i, of: [i] };
};
allocate(400_000);
gc();
allocate(4e6);
for (let turn = 0; turn < 500 && full < 2; turn++) await new Promise((resolve) => setTimeout(resolve, 10));
if (stays.length === 1e6) console.log(full);
`;

function run(flags: readonly string[], environment: NodeJS.ProcessEnv = {}) {
  const given = [...flags, '--input-type=module', '-e', SCRIPT, 'kept'];
  const output = execFileSync(process.execPath, given, {
    encoding: 'utf8',
    env: { ...process.env, ...environment },
  });
  return JSON.parse(output) as { flags: string[]; youngMib: number; argument: string };
}

describe.skipIf(process.platform === 'win32')('a process that serves', () => {
  it('has a small young generation, and its own arguments', () => {
    const { flags, youngMib, argument } = run([]);
    expect(flags).toEqual(['--max-semi-space-size=8', '--heap-growing-percent=100', HUGE_PAGES]);
    expect(youngMib).toBeLessThanOrEqual(16);
    expect(argument).toBe('kept');
  });

  it('keeps the values that the operator gives', () => {
    expect(run(['--max_semi_space_size=32', '--heap-growing-percent=100']).flags).toEqual([
      '--max_semi_space_size=32',
      '--heap-growing-percent=100',
      HUGE_PAGES,
    ]);
    const options = '--max-semi-space-size=32 --use-largepages=off';
    expect(run([], { NODE_OPTIONS: options }).flags).toEqual(['--heap-growing-percent=100']);
  });

  it('takes no huge pages with less than 1 GiB of memory', () => {
    expect(run([], { TEST_MEMORY: String(2 ** 30 - 1) }).flags).not.toContain(HUGE_PAGES);
  });

  it('collects more often while it is asked to keep its heap small', () => {
    const collections = (small: boolean): number =>
      Number(
        execFileSync(
          process.execPath,
          ['--expose-gc', '--input-type=module', '-e', collectionsOf(small)],
          {
            encoding: 'utf8',
          },
        ),
      );
    expect(collections(true)).toBeGreaterThan(collections(false) * 1.5);
  });
});
