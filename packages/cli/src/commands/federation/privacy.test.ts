import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { testFolder } from '../../../../../scripts/testing/folder.ts';
import type { AuditReport } from '@skein/train';
import { startCli } from '../../testing/cli.ts';
import type { Budgets } from './privacy.ts';

const folder = testFolder();

const skein = (...args: string[]) => startCli(['privacy', ...args], { cwd: folder }).ended;
const epochs = ['--rows', '60000', '--batch', '256', '--epochs', '15'];

it('shows and draws what several noises spend', async () => {
  const full = ['--rows', '740', '--steps', '30', '--sampling', 'all', '--delta', '1e-3'];
  const { code, stdout } = await skein(...full, '--noise', '10,20', '--svg', 'spent.svg');
  expect(code).toBe(0);
  expect(stdout).toMatch(/^30 steps, sampling all at 1, delta 0\.001$/m);
  // Measured by an implementation of others: 0.660.
  expect(stdout).toMatch(/^20\.0000 +0\.660 +0\.660/m);
  const svg = await readFile(join(folder, 'spent.svg'), 'utf8');
  expect(svg.match(/class="line /g)).toHaveLength(2);
  expect(svg).toContain('>noise 20: 0.660<');
});

it('finds the noise of a budget, which then keeps to it', async () => {
  const { stdout } = await skein(...epochs, '--epsilon', '3', '--json');
  const { choices, steps } = JSON.parse(stdout) as Budgets;
  expect(steps).toBe(Math.ceil((15 * 60_000) / 256));
  expect(choices[0]!.epsilon).toBeLessThanOrEqual(3);
  expect(choices[0]!.epsilon).toBeGreaterThan(2.99);
});

it.each([
  [['--noise', '1'], 'Give either --noise or --epsilon', ['--epsilon', '3']],
  [[], 'Give either --noise or --epsilon', []],
  [['--noise', '1'], 'Give either --steps or --epochs', ['--steps', '3']],
  [['--noise', '1,2,3,4,5'], '--noise takes at most 4 values', []],
  [['--noise', '1', '--sampling', 'tree'], 'counts one pass over the rows, of 235 steps', []],
  [['--noise', '1', '--batch', '70000'], '--batch 70000 is more than --rows 60000', []],
])('refuses %j, naming the options', async (args, message, more) => {
  const { code, stderr } = await skein(...epochs, ...args, ...more);
  expect(code).toBe(2);
  expect(stderr).toContain(message);
});

it('warns of a delta that promises nothing', async () => {
  const { stdout } = await skein(...epochs, '--noise', '1', '--delta', '1e-3');
  expect(stdout).toContain('delta 0.001 is not below 1 / rows');
});

it('refuses a budget that no noise keeps', async () => {
  const fixed = ['--sampling', 'fixed', '--epsilon', '0.0001'];
  const { code, stderr } = await skein(...epochs, ...fixed);
  expect(code).not.toBe(0);
  expect(stderr).toContain('PRIVACY_UNATTAINABLE');
});

it('audits the private training, and finds nothing in it', async () => {
  const { code, stdout } = await skein('audit', '--noise', '1', '--canaries', '400', '--json');
  const report = JSON.parse(stdout) as AuditReport;
  expect(report).toMatchObject({ verdict: 'holds', findings: [], repeats: false });
  expect(report.claimed).toBeGreaterThan(4);
  expect(code).toBe(0);
});

it('takes the terms of a federation from its plan, and joins none without a word', async () => {
  const link = 'https://node.example/join#skein-join_x';
  for (const args of [['--accept'], [link, '--noise', '1']]) {
    const { code, stderr } = await skein('audit', ...args);
    expect(code).toBe(2);
    expect(stderr).toContain(args.find((each) => each.startsWith('--')));
  }
});

it('refuses an audit that could measure nothing', async () => {
  const { code, stderr } = await skein('audit', '--noise', '1', '--canaries', '9');
  expect(code).toBe(2);
  expect(stderr).toContain('--canaries');
});
