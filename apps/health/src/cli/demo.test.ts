/** `npm run health` as a person starts it: four hospitals, a coordinator, a FHIR server, the service. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, it } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { labelled, loadVersion } from '../training/version-store.ts';
import { runCommandLine } from './run.ts';

it(
  'federates a version, answers by charts of another server, and a card is derived again',
  { timeout: 300_000 },
  async () => {
    const data = join(testFolder(), 'demo');
    const demo = spawn(
      process.execPath,
      [join(import.meta.dirname, '../main.ts'), 'demo', '--data', data, '--port', '0'],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    const exit = once(demo, 'close');
    let trouble = '';
    demo.stderr.on('data', (text: Buffer) => (trouble += text.toString()));
    const lines: string[] = [];
    for await (const line of createInterface({ input: demo.stdout })) {
      lines.push(line);
      if (line.startsWith('derives a card again')) break;
    }
    demo.kill('SIGINT');
    expect([await exit, trouble]).toEqual([[0, null], '']);
    const output = lines.join('\n');
    expect(output).toMatch(/Patient ill: Coronary heart disease likely/);
    expect(output).toMatch(/Patient well: Coronary heart disease unlikely/);
    const service = join(data, 'service');
    const { version } = await loadVersion(service, await labelled(service));
    const { training, counts } = version.file;
    expect(training).toMatchObject({
      aggregation: 'secure sums with patient-level privacy',
      epsilon: 3,
    });
    expect(Object.keys(counts).toSorted()).toEqual(['cleveland', 'hungarian', 'switzerland', 'va']);
    expect(counts['va']!.noise).toBeGreaterThan(0);
    let out = '';
    const code = await runCommandLine(['verify', join(data, 'card-ill.json'), '--data', service], {
      stdout: { write: (text) => (out += text) },
      stderr: { write: (text) => (out += text) },
      signal: new AbortController().signal,
    });
    expect([code, out]).toEqual([0, expect.stringMatching(/It verifies\.\n$/)]);
  },
);
