/** A data folder or port that another node holds: the second node gets an error, and the first is not affected. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { mlp } from '@skein/onnx';
import { startCli } from '../../../../cli/src/testing/cli.ts';
import { startNodeProcess, type NodeProcess } from '../../testing/node-process.ts';
import { testFolder } from '../../../../../scripts/testing/folder.ts';

async function expectItServes(node: NodeProcess): Promise<void> {
  const x = { shape: [1, 4], data: new Float32Array(4) };
  expect((await node.client.infer('risk', { x })).version).toBe('1');
}

it('of several nodes that start at once on one folder, one gets it', async () => {
  const folder = testFolder();
  const starts = await Promise.allSettled(
    Array.from({ length: 3 }, () => startNodeProcess({ folder })),
  );
  const up = starts.filter((start) => start.status === 'fulfilled').map(({ value }) => value);
  const refused = starts.filter((start) => start.status === 'rejected');
  expect([up.length, refused.length]).toEqual([1, 2]);
  for (const { reason } of refused) expect(reason).toMatchObject({ code: 'DATA_FOLDER_LOCKED' });

  await using node = up[0]!;
  await node.deploy('risk', mlp({ sizes: [4, 8, 3], seed: 1 }), {
    objective: { latencyMs: 10_000 },
  });
  // A later one gets the address of the first, and changes nothing.
  await expect(startNodeProcess({ folder })).rejects.toMatchObject({
    code: 'DATA_FOLDER_LOCKED',
    message: expect.stringContaining(node.url) as unknown,
  });
  const note = JSON.parse(readFileSync(join(folder, '.skein/node.json'), 'utf8')) as unknown;
  expect(note).toMatchObject({ pid: node.pid, url: node.url });
  await expectItServes(node);

  await node.kill();
  await using next = await startNodeProcess({ folder });
  await expectItServes(next);
});

/** A node that holds its ports; started once for all tests. */
let shared: NodeProcess;
beforeAll(async () => {
  shared = await startNodeProcess();
  await shared.deploy('risk', mlp({ sizes: [4, 8, 3], seed: 1 }), {
    objective: { latencyMs: 10_000 },
  });
});
afterAll(() => shared[Symbol.asyncDispose]());

it.each(['--port', '--grpc-port'])('%s of another node is refused', async (option) => {
  const grpcPort = shared.grpcUrl.split(':')[1]!;
  const port = option === '--port' ? String(shared.port) : grpcPort;
  const other = option === '--port' ? '--grpc-port' : '--port';
  const folder = testFolder();
  const second = startCli(['up', option, port, other, '0', '--log', 'off', '--json'], {
    cwd: folder,
  });
  const { code, stdout } = await second.ended;
  expect([code, JSON.parse(stdout)]).toEqual([
    1,
    expect.objectContaining({
      code: 'PORT_IN_USE',
      error: expect.stringContaining(port) as unknown,
    }),
  ]);
  await expectItServes(shared);
  // The ports and the folder of the refused node are free again.
  await using third = await startNodeProcess({ folder });
  expect(third.url).not.toBe(shared.url);
});

it('without a port, the second node takes the next free ones', async () => {
  const folders = [testFolder(), testFolder()];
  const nodes = [];
  for (const cwd of folders) {
    const node = startCli(['up', '--log', 'off', '--json'], { cwd });
    await node.saw(/^\}$/m);
    nodes.push(node);
  }
  const at = nodes.map(({ output }) => JSON.parse(output.stdout) as { url: string });
  try {
    expect(at[0]!.url).not.toBe(at[1]!.url);
    for (const { url } of at) expect((await fetch(`${url}/v2/health/ready`)).status).toBe(200);
  } finally {
    for (const { process } of nodes) process.kill('SIGTERM');
    const codes = await Promise.all(nodes.map(async ({ ended }) => (await ended).code));
    expect(codes).toEqual([0, 0]);
  }
});
