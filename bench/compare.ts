/**
 * `node bench/compare.ts REV [NAME ...] [--rounds 7] [--full] [--json]`: compares this tree with an
 * older commit on one machine, in alternating runs. Prints the gain of every row, above 1 where
 * this tree is better, where the true gain lies at 95 %, and the geometric mean of all rows. Only
 * a row named better or worse differs by more than the machine did between rounds. At least six rounds
 * are needed for that.
 *
 * Each round runs the old version and then the new one, and every other round the new one first, so
 * that a machine that slows down favours neither. The old version is checked out into its own
 * folder and installed from its own lock file.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  compare,
  type Comparison,
  type Gain,
  type Pair,
  type Results,
} from './src/harness/comparison.ts';
import type { BenchReport } from './src/harness/report.ts';

const NAMES = ['serving', 'jobs', 'training'];
const root = join(import.meta.dirname, '..');

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '7' },
    full: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const [revision, ...asked] = positionals;
const names = asked.length > 0 ? asked : NAMES;
const rounds = Number(values.rounds);
if (revision === undefined || !Number.isInteger(rounds) || rounds < 1) {
  console.error('Fix: node bench/compare.ts REV [NAME ...] [--rounds N] [--full] [--json]');
  process.exit(2);
}

const print = (line: string): void => void process.stderr.write(`${line}\n`);

function runIn(folder: string, name: string): BenchReport {
  const scale = values.full ? [] : ['--quick'];
  const output = execFileSync('npm', ['run', '-s', 'bench', '--', name, '--json', ...scale], {
    cwd: folder,
    encoding: 'utf8',
    maxBuffer: 2 ** 27,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return JSON.parse(output.slice(output.indexOf('{'))) as BenchReport;
}

function compareOne(name: string, before: string): Comparison {
  const pairs: Pair[] = [];
  let measures: BenchReport['measures'] = [];
  for (let round = 0; round < rounds; round += 1) {
    print(`${name}: round ${round + 1} of ${rounds}`);
    const runNew = (): Results => {
      const report = runIn(root, name);
      measures = report.measures;
      return report.results;
    };
    if (round % 2 === 0) {
      const old = runIn(before, name).results;
      pairs.push({ old, new: runNew() });
    } else {
      const fresh = runNew();
      pairs.push({ old: runIn(before, name).results, new: fresh });
    }
  }
  return compare(measures, pairs);
}

function line(name: string, { gain, low, high }: Gain): string {
  const verdict = low > 1 ? 'better' : high < 1 ? 'worse' : '';
  const bounds = `(${low.toFixed(3)} … ${high.toFixed(3)})`;
  return `  ${name.padEnd(32)} ${gain.toFixed(3)}  ${bounds}  ${verdict}`.trimEnd();
}

function render(name: string, { rows, geometricMean }: Comparison): string {
  const lines = rows.map((row) => line(row.key, row));
  return [name, ...lines, line('geometric mean', geometricMean)].join('\n');
}

const before = mkdtempSync(join(tmpdir(), 'skein-compare-'));
try {
  execFileSync('git', ['worktree', 'add', '--detach', before, revision], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  print(`Installing ${revision} …`);
  execFileSync('npm', ['ci', '--ignore-scripts', '--loglevel=error'], {
    cwd: before,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const compared = names.map((name) => [name, compareOne(name, before)] as const);
  if (values.json) console.log(JSON.stringify(Object.fromEntries(compared)));
  else console.log(compared.map(([name, comparison]) => render(name, comparison)).join('\n\n'));
} finally {
  execFileSync('git', ['worktree', 'remove', '--force', before], { cwd: root, stdio: 'ignore' });
  rmSync(before, { recursive: true, force: true });
}
