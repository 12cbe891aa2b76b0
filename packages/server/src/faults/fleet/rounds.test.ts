/** Rounds of faults in network namespaces: a few kinds by default, 224 rounds with SKEIN_FULL=1. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { requireComponent } from '../../../../../scripts/testing/components.ts';
import { FULL, SEED } from '../../../../jobs/src/faults/testing/fault-size.ts';
import { FAULTS } from './testing/faults.ts';
import type { RoundLine } from './testing/rounds.ts';

const KINDS = Object.keys(FAULTS);
/** Kinds that no other test has. */
const FEW = [
  'partition in one direction',
  'lost store, an older copy before the right one',
  'lost store, an older copy adopted',
  'paused member',
];
const ROUND_MS = 60_000;

const { skip } = requireComponent('network-namespaces');

test.skipIf(skip)(
  `a fleet keeps its promises in rounds of faults, seed ${SEED}`,
  async () => {
    const kinds = FULL ? KINDS : FEW;
    const rounds = FULL ? 16 * kinds.length : kinds.length;
    const own = ['--user', '--map-root-user', '--net', '--pid', '--fork', '--mount-proc'];
    const program = [process.execPath, join(import.meta.dirname, 'testing/main.ts')];
    const given = ['--rounds', String(rounds), '--seed', String(SEED)];
    for (const kind of kinds) given.push('--kind', kind);
    const runs = spawn('unshare', [...own, '--kill-child', ...program, ...given], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let [stdout, stderr] = ['', ''];
    runs.stdout.on('data', (chunk) => (stdout += String(chunk)));
    runs.stderr.on('data', (chunk) => (stderr += String(chunk)));
    const [code] = await once(runs, 'close');
    const lines = stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as RoundLine);
    const output = `${JSON.stringify(lines.at(-1))}\n${stderr}`;
    expect(
      lines.flatMap(({ broken }) => broken),
      output,
    ).toEqual([]);
    expect([lines.length, code], output).toEqual([rounds, 0]);
  },
  120_000 + ROUND_MS * (FULL ? 16 * KINDS.length : FEW.length),
);
