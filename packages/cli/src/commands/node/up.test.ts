/** The first output that a new user sees: every statement in it must be true. */
import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testFolder } from '../../../../../scripts/testing/folder.ts';
import { displayWidth } from '../../output/style.ts';
import { startCli, type CliProcess } from '../../testing/cli.ts';

const ROOT = join(import.meta.dirname, '../../../../..');
const MAIN = join(import.meta.dirname, '../../main.ts');
const COLUMNS = 80;
/** A terminal of 24 rows, without the four that npm writes before it. */
const ROWS = 20;
/**
 * A machine that is busy with other tests may not read a picture within the objective, and reports
 * that. Then the line is run again, at last with a longer timeout than the objective.
 */
const BUSY = /DEADLINE|retryAfterMs/;
const TRIES = 4;
const PATIENCE = `curl -H 'Skein-Timeout-Ms: 60000' `;

describe('skein up --example ocr', { timeout: 120_000 }, () => {
  const folder = testFolder();
  let up: CliProcess;
  let screen: string;

  beforeAll(async () => {
    const options = ['--port', '0', '--grpc-port', '0', '--data', join(folder, 'data')];
    up = startCli(['up', '--example', 'ocr', '--log', 'off', ...options], {
      cwd: ROOT,
      // The command of `npm start`.
      env: { npm_command: 'start' },
    });
    await up.saw(/│ Hello!.*\n/);
    screen = up.output.stdout;
  }, 120_000);
  afterAll(() => {
    up.process.kill('SIGKILL');
  });

  /** Runs a line of the screen as a person would, in a shell, from the repository's root. */
  async function type(line: string): Promise<SpawnSyncReturns<string>> {
    const bin = join(folder, 'bin');
    mkdirSync(bin, { recursive: true });
    // `npx skein`, run from this checkout.
    writeFileSync(join(bin, 'npx'), `#!/bin/sh\nshift\nexec ${process.execPath} ${MAIN} "$@"\n`, {
      mode: 0o755,
    });
    const PATH = `${bin}${delimiter}${process.env['PATH']}`;
    const env = { ...process.env, PATH, SKEIN_DATA: join(folder, 'data') };
    for (let tries = 1; ; tries++) {
      const typed = tries === TRIES ? line.replace(/^curl /, PATIENCE) : line;
      const done = spawnSync('sh', ['-ec', typed], { cwd: ROOT, encoding: 'utf8', env });
      if (tries === TRIES || !BUSY.test(done.stdout + done.stderr)) return done;
      await setTimeout(1000);
    }
  }

  it('fits a terminal, with space for the first lines of npm', () => {
    const rows = screen
      .trimEnd()
      .split('\n')
      .reduce((sum, line) => sum + Math.max(1, Math.ceil(displayWidth(line) / COLUMNS)), 0);
    expect(rows).toBeLessThanOrEqual(ROWS);
  });

  it('names addresses that answer', async () => {
    const urls = screen.match(/http:\/\/127\.0\.0\.1:\d+\/?(?=,|\n)/g) ?? [];
    expect(urls).toHaveLength(2);
    const openai = /OpenAI +(http:\S+\/v1)\n/.exec(screen)![1]!;
    const paths = /and there (\/docs) and (\/metrics)\n/.exec(screen)!.slice(1);
    for (const url of [...urls, ...paths.map((path) => urls[0]! + path), `${openai}/models`]) {
      const { status, headers } = await fetch(url, { headers: { accept: 'text/html' } });
      expect([url, status < 500, headers.get('content-type')]).toEqual([
        url,
        true,
        expect.any(String),
      ]);
    }
    expect(screen).toMatch(/gRPC at 127\.0\.0\.1:\d+\n/);
    expect(screen).toMatch(/Serves +ocr, ocr-detect, ocr-orient, ocr-recognise\n/);
  });

  it('prints a curl line that works, and what it answers', async () => {
    const curl = /^ +(curl .*)$/m.exec(screen)?.[1];
    expect(curl).toBeDefined();
    const { status, stdout } = await type(curl!);
    expect(status).toBe(0);
    const { outputs } = JSON.parse(stdout) as { outputs: { name: string; data: string[] }[] };
    const lines = outputs.find(({ name }) => name === 'text')!.data;
    const [ocr] = screen.split('Next:');
    const shown = [...ocr!.matchAll(/^ +│ (.*)$/gm)].map(([, line]) => line!);
    const more = /^… and (\d+) more lines$/.exec(shown.pop() ?? '')?.[1];
    expect(shown.length).toBeGreaterThan(0);
    expect(shown).toEqual(lines.slice(0, shown.length));
    expect(Number(more)).toBe(lines.length - shown.length);
  });

  it('prints a curl line whose stream begins as shown, and names the model', async () => {
    const curl = /^ +(curl -N .*)$/m.exec(screen)?.[1];
    const shown = /│ (Hello!.*) …$/m.exec(screen)?.[1];
    expect(screen).toMatch(/a tiny, untrained language model/);
    const { status, stdout } = await type(curl!);
    expect(status).toBe(0);
    expect(stdout).toMatch(/data: \[DONE\]\n/);
    const texts = [...stdout.matchAll(/"content":("(?:[^"\\]|\\.)*")/g)];
    const text = texts.map(([, part]) => JSON.parse(part!) as string).join('');
    expect(text.startsWith(shown!)).toBe(true);
    expect(text.length).toBeGreaterThan(shown!.length);
  });

  it('prints a next command that works', async () => {
    const next = /^Next: (.*)$/m.exec(screen)?.[1];
    expect(next).toMatch(/^npx skein infer ocr /);
    const { status, stdout, stderr } = await type(next!);
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout.trim()).not.toBe('');
  });

  // The last one: it ends the node.
  it('drains at Ctrl-C and exits 0', async () => {
    up.process.kill('SIGINT');
    expect((await up.ended).code).toBe(0);
  });
});
