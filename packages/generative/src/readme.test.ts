/** Runs the sample of the package's README, with the faulty upstream in the place of Google and of the local server. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';
import { openFaultyUpstream } from './faulty-upstream/faulty-upstream.ts';

const folder = join(import.meta.dirname, '..');

it('answers over the second provider when the quota of the first is spent', async () => {
  const upstream = await openFaultyUpstream({ words: ['hi', 'there'] });
  onTestFinished(() => upstream.close());
  const [, sample] = /```ts\n([\s\S]*?)```/.exec(readFileSync(join(folder, 'README.md'), 'utf8'))!;
  const place = mkdtempSync(join(folder, 'readme-'));
  onTestFinished(() => rmSync(place, { recursive: true }));
  const here = sample!
    .replace("kind: 'gemini',", `$& baseUrl: '${upstream.baseUrl('gemini', 'quota-day')}',`)
    .replace('http://127.0.0.1:8080/v1', upstream.baseUrl('openai', 'none'));
  writeFileSync(join(place, 'example.ts'), here);
  const { stdout, stderr } = await promisify(execFile)(process.execPath, ['example.ts'], {
    cwd: place,
    env: { ...process.env, GEMINI_API_KEY: 'secret' },
  });
  expect(stderr).toBe('');
  expect(stdout).toContain('hi there');
  expect(stdout).toMatch(/provider: 'local'[\s\S]*attempts: 2/);
  expect(upstream.requests).toBe(2);
});
