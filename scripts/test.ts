/**
 * `npm test [-- --all] [ARGUMENTS OF VITEST]`: the fast tests, or all of them. Prints before and after how
 * long it takes. Files named as arguments run in any case.
 */
import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { SLOW_TESTS } from './testing/slow-tests.ts';

const root = join(import.meta.dirname, '..');
const given = process.argv.slice(2);
const all = given.includes('--all');
const rest = given.filter((argument) => argument !== '--all');
const named = rest.some((argument) => !argument.startsWith('-'));

if (!all && !named) {
  process.stderr.write(
    `The fast tests: about a minute on two cores. \`npm test -- --all\` adds those with models, sandboxes and whole nodes: about 20 minutes.\n`,
  );
} else if (all) process.stderr.write('All tests: about 20 minutes on two cores.\n');

const begun = performance.now();
const skipped = all || named ? [] : SLOW_TESTS.flatMap((file) => ['--exclude', file]);
// Many tests wait for processes that they started, so one file more than cores at once helps.
const workers = rest.some((argument) => argument.startsWith('--maxWorkers'))
  ? []
  : ['--maxWorkers', String(availableParallelism() + 1)];
// The processes of tests load the same sources again and again: each takes half of the time with compiled sources.
const env = {
  // Tests of operators use ONNX Runtime without the packages that keep it from reporting.
  ORT_DISABLE_TELEMETRY: '1',
  NODE_COMPILE_CACHE: join(root, 'node_modules', '.cache', 'compiled'),
  ...process.env,
};
const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
const { status } = spawnSync(process.execPath, [vitest, 'run', ...workers, ...skipped, ...rest], {
  cwd: root,
  env,
  stdio: 'inherit',
});
const seconds = Math.round((performance.now() - begun) / 1000);
process.stderr.write(`It took ${Math.floor(seconds / 60)} min ${seconds % 60} s.\n`);
process.exit(status ?? 1);
