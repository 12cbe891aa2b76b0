/**
 * `npm run record`: records the first minute with Skein and draws it as `docs/images/first-minute.svg`.
 *
 * It types `npm start` in this clone, waits until the node is ready, asks it what it then suggests, and
 * ends it. Waits keep their length up to a bound, so the picture shows the time that a reader would see.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pictureOf, type Recorded } from './picture.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const PICTURE = join(ROOT, 'docs', 'images', 'first-minute.svg');
const QUESTION = 'npx skein infer ocr --image examples/ocr/images/street-sign.jpg';
/** Time of a typed character, and longest wait that the picture keeps, in milliseconds. */
const TYPING_MS = 45;
const LONGEST_WAIT_MS = 2500;

const recorded: Recorded[] = [];
let clockMs = 0;

function type(command: string): void {
  for (const [index, character] of Array.from(command).entries()) {
    clockMs += TYPING_MS;
    recorded.push({
      atMs: clockMs,
      output: (index === 0 ? '\u001B[32m$\u001B[39m ' : '') + character,
    });
  }
  clockMs += 300;
  recorded.push({ atMs: clockMs, output: '\r\n' });
}

/** Runs a command on a terminal of its own, from util-linux. @param ready a text that ends the recording of it. */
async function record(command: string, data: string, ready?: string): Promise<ChildProcess> {
  const child = spawn('script', ['-qefc', `stty cols 100 rows 40; exec ${command}`, '/dev/null'], {
    cwd: ROOT,
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, SKEIN_DATA: data, TERM: 'xterm', npm_config_progress: 'false' },
  });
  const ended = once(child, 'exit');
  let before = performance.now();
  let output = '';
  await new Promise<void>((resolve, reject) => {
    child.stdout.setEncoding('utf8').on('data', (piece: string) => {
      const now = performance.now();
      clockMs += Math.min(now - before, LONGEST_WAIT_MS);
      before = now;
      output += piece;
      recorded.push({ atMs: clockMs, output: piece });
      if (ready !== undefined && output.includes(ready)) resolve();
    });
    void ended.then(([code]) =>
      code === 0 ? resolve() : reject(new Error(`${command} ended with ${code}: ${output}`)),
    );
  });
  return child;
}

const data = mkdtempSync(join(tmpdir(), 'skein-first-minute-'));
type('npm start');
const node = await record('npm start --silent', data, 'My weights');
clockMs += 2000;
recorded.push({ atMs: clockMs, output: '\r\n' });
type(QUESTION);
await record(QUESTION, data);
// The node's farewell is not part of the picture.
const picture = pictureOf(recorded);
const stopped = once(node, 'exit');
// Ctrl-C: a signal would end `script` alone.
node.stdin!.write('\u0003');
await stopped;
rmSync(data, { recursive: true });
writeFileSync(PICTURE, picture);
process.stdout.write(`${PICTURE}: ${Math.round(clockMs / 1000)} s\n`);
