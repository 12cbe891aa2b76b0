/** `npm run federate-demo`, with fewer rounds, as a person starts it: it ends, with a model that is served. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, it } from 'vitest';

const DEMO = join(import.meta.dirname, 'main.ts');

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

it('trains a model over four hospitals, serves it, and shows that an edited ledger is refused', async () => {
  const port = await freePort();
  const demo = spawn(
    process.execPath,
    [DEMO, '--rounds', '3', '--epsilon', '1', '--port', String(port)],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const exit = new Promise((resolve) => demo.once('close', resolve));
  const [code, output, trouble] = await Promise.all([exit, text(demo.stdout), text(demo.stderr)]);
  expect(code, trouble).toBe(0);
  expect(output).toContain(`A node on http://127.0.0.1:${port},`);
  expect(output).toMatch(/round  3 of 3/);
  const accuracy = Number(/all +accuracy (\d\.\d+)/.exec(output)?.[1]);
  expect(accuracy).toBeGreaterThan(0.5);
  expect(output).toMatch(/entries of 3 rounds[^]*It verifies\.\nWith one digit of an ε edited: /);
}, 120_000);

it('refuses what is not a port', async () => {
  const demo = spawn(process.execPath, [DEMO, '--port', '70000'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const [[code], trouble] = await Promise.all([once(demo, 'close'), text(demo.stderr)]);
  expect([code, trouble]).toEqual([1, expect.stringContaining('"70000" is not a port')]);
});
