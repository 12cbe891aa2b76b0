/**
 * `npm run bench -- NAME [--json] [--quick]`: one comparison with its peer, in one run on one
 * machine. Prints ratios; asserts nothing (exit 1 only when a measurement could not be taken).
 */
import { parseArgs } from 'node:util';
// For the peers as well, which inherit it.
import '@skein/calls/no-telemetry';
import { restartWithHugePages } from '@skein/train/huge-pages';
import { describeMachine } from './harness/machine.ts';
import { renderTable, type BenchReport } from './harness/report.ts';

interface BenchOptions {
  /** Shorter runs: about a minute in all, noisier figures. */
  readonly quick: boolean;
  /** Seconds of the random search for the worst case. Default: its own. */
  readonly seconds?: number | undefined;
  readonly progress: (line: string) => void;
}

const BENCHMARKS: Record<string, () => Promise<(options: BenchOptions) => Promise<BenchReport>>> = {
  data: async () => (await import('./data/data.ts')).benchData,
  door: async () => (await import('./door/door.ts')).benchDoor,
  edge: async () => (await import('./edge/edge.ts')).benchEdge,
  limits: async () => (await import('./limits/limits.ts')).benchLimits,
  federation: async () => (await import('./federation/federation.ts')).benchFederation,
  fleet: async () => (await import('./fleet/fleet.ts')).benchFleet,
  generative: async () => (await import('./generative/generative.ts')).benchGenerative,
  health: async () => (await import('./health/health.ts')).benchHealth,
  jobs: async () => (await import('./jobs/jobs.ts')).benchJobs,
  serving: async () => (await import('./serving/serving.ts')).benchServing,
  training: async () => (await import('./training/training.ts')).benchTraining,
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    seconds: { type: 'string' },
  },
});
const [name = ''] = positionals;
const load = BENCHMARKS[name];
if (load === undefined) {
  console.error(
    `Unknown benchmark "${name}". Fix: npm run bench -- ${Object.keys(BENCHMARKS).join(' | ')} [--json] [--quick]`,
  );
  process.exit(2);
}

// `skein train` does the same.
if (name === 'training') restartWithHugePages();

const begun = performance.now();
const bench = await load();
const report = await bench({
  quick: values.quick,
  seconds: values.seconds === undefined ? undefined : Number(values.seconds),
  progress: (line) =>
    process.stderr.write(
      `${((performance.now() - begun) / 1000).toFixed(1).padStart(6)} s  ${line}\n`,
    ),
});
const machine = describeMachine();
if (values.json) {
  console.log(
    JSON.stringify({
      ...report,
      quick: values.quick,
      machine,
      seconds: (performance.now() - begun) / 1000,
    }),
  );
} else {
  console.log(renderTable(report, machine));
}
