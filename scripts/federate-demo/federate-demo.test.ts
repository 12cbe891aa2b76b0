/** `npm run federate-demo`, with fewer rounds, as a person starts it: it ends, with a model that is served. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, it } from 'vitest';

it('trains a model over four hospitals, serves it, and shows that an edited ledger is refused', async () => {
  const demo = spawn(
    process.execPath,
    [join(import.meta.dirname, 'main.ts'), '--rounds', '3', '--epsilon', '1'],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const exit = new Promise((resolve) => demo.once('close', resolve));
  const [code, said, trouble] = await Promise.all([exit, text(demo.stdout), text(demo.stderr)]);
  expect(code, trouble).toBe(0);
  expect(said).toMatch(/round  3 of 3/);
  const accuracy = Number(/all +accuracy (\d\.\d+)/.exec(said)?.[1]);
  expect(accuracy).toBeGreaterThan(0.5);
  expect(said).toMatch(/entries of 3 rounds[^]*It verifies\.\nWith one digit of an ε edited: /);
}, 120_000);
