/** Settings that a platform gives to a node in the environment: its port, its time to end, its first key. */
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { runCli, startCli } from '../../testing/cli.ts';
import { testFolder } from '../../../../../scripts/testing/folder.ts';

const UP = ['up', '--host', '0.0.0.0', '--grpc-port', '0', '--json'];

it('listens on PORT, and admits the holder of a generated SKEIN_ADMIN_KEY at its first start', async () => {
  const port = await freePort();
  const token = (await runCli(['keys', 'generate'], { cwd: testFolder() })).stdout.trim();
  const env = { PORT: String(port), SKEIN_ADMIN_KEY: token };
  const up = startCli(UP, { cwd: testFolder(), env });
  onTestFinished(() => void up.process.kill('SIGKILL'));
  await up.saw(/^\}$/m);
  const url = `http://127.0.0.1:${port}`;
  expect(JSON.parse(up.output.stdout)).toMatchObject({ url, access: 'keys' });
  expect((await fetch(`${url}/v2/health/accepting`)).status).toBe(200);
  expect((await fetch(`${url}/api/v1/keys`)).status).toBe(401);
  const headers = { authorization: `Bearer ${token}` };
  expect((await fetch(`${url}/api/v1/keys`, { headers })).status).toBe(200);
  up.process.kill('SIGTERM');
  const { code, stdout, stderr } = await up.ended;
  expect(code).toBe(0);
  expect(stdout + stderr).not.toContain(token);
});

it.each([
  [{ PORT: 'tcp://10.0.0.1:80' }, /PORT: .* is not a whole number/],
  [{ SKEIN_GRACE: 'soon' }, /SKEIN_GRACE: /],
  [{ SKEIN_CACHE: 'lots' }, /SKEIN_CACHE: /],
  [{ SKEIN_QUEUES: 'default,GPU' }, /SKEIN_QUEUES: \\"GPU\\" is not the name of a queue/],
  [{ SKEIN_REDIS: 'redis://x', SKEIN_BLOBS: '' }, /--redis needs --blobs/],
  [{ SKEIN_ADVERTISE: 'here' }, /SKEIN_ADVERTISE takes http/],
  [{ SKEIN_ADMIN_KEY: 'open sesame' }, /admin key, in SKEIN_ADMIN_KEY, is malformed/],
])('names the variable that is wrong: %o', async (env, message) => {
  const { code, stdout, stderr } = await runCli(UP, { cwd: testFolder(), env });
  expect(code).toBe(2);
  expect(stdout + stderr).toMatch(message);
});

it('takes empty variables for variables that are not set', async () => {
  const names = ['SKEIN_REDIS', 'SKEIN_BLOBS', 'SKEIN_QUEUES', 'SKEIN_FLEET_KEY', 'SKEIN_CACHE'];
  const env = Object.fromEntries(names.map((name) => [name, '']));
  const up = startCli(['up', '--port', '0', '--grpc-port', '0', '--json'], {
    cwd: testFolder(),
    env,
  });
  onTestFinished(() => void up.process.kill('SIGKILL'));
  await up.saw(/^\}$/m);
  up.process.kill('SIGTERM');
  expect((await up.ended).code).toBe(0);
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((listening) => server.once('listening', listening));
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  return port;
}
