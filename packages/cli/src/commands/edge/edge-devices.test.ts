/** Devices and their operator: a real node, a device with Node, and the commands. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createEdge, type ReportingEdge } from '@skein/edge/node';
import { folderPlace } from '@skein/edge/node';
import { mlp, tensor, writeModel, type TensorMap } from '@skein/onnx';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startNodeProcess, type NodeProcess } from '../../../../server/src/testing/node-process.ts';

let node: NodeProcess;
const opened: ReportingEdge[] = [];
const path = (name: string): string => join(node.folder, name);
const row = (): TensorMap =>
  new Map([['x', tensor('float32', [1, 4], Float32Array.of(1, -2, 3, -4))]]);

/** A device, with a folder by its name. */
async function deviceOf(name: string, report?: { invitation?: string }): Promise<ReportingEdge> {
  const edge = await createEdge({
    model: 'risk',
    source: folderPlace(path('published')),
    pinnedRoot: new Uint8Array(readFileSync(path('edge-keys/root.json'))),
    folder: path(name),
    report,
  });
  opened.push(edge);
  return edge;
}

beforeAll(async () => {
  node = await startNodeProcess();
  writeFileSync(path('risk.onnx'), writeModel(mlp({ sizes: [4, 8, 3], seed: 1 })));
  await node.run('edge', 'keys');
  await node.run('edge', 'pack', 'risk.onnx');
}, 120_000);
afterAll(async () => {
  for (const edge of opened) await edge.close();
  await node?.[Symbol.asyncDispose]();
});

it('a device enrols by its link, reports counts and times, and is shown and removed', async () => {
  expect((await node.run('edge', 'ls')).stdout).toContain('There are no devices.');
  const { link } = await node.json<{ link: string }>(
    'edge',
    'invite',
    'till 4',
    '--label',
    'site=a',
    '--json',
  );
  expect(link).toMatch(new RegExp(`^${node.url}/#skein-device_`));
  const edge = await deviceOf('till', { invitation: link });
  await edge.update();
  for (let run = 0; run < 25; run++) await edge.infer(row(), { private: true });
  await edge.report();
  expect(edge.device).toMatchObject({ name: 'till 4' });
  const { stdout: list } = await node.run('edge', 'ls');
  expect(list).toMatch(/till 4 .* site=a +reporting +risk v1/);
  expect(list).toContain('local: the input is private');
  const { stdout: shown } = await node.run('edge', 'show', 'till 4');
  expect(shown).toMatch(/latency +p50 .* of 25 runs/);
  expect(shown).toContain('25 here, 0 by a node, 0 refused');
  expect(shown).toMatch(/energy proxies .* of CPU in runs, .* received, 0 B sent/);
  // It may stay in the configuration: the key is enrolled, and the folder has it.
  const { id } = edge.device!;
  await edge.close();
  const again = await deviceOf('till', {});
  await again.report();
  expect(again.device).toEqual({ id, name: 'till 4' });
  expect((await node.run('edge', 'remove', id.slice(0, 6))).stdout).toContain('till 4');
  await expect(again.report()).rejects.toMatchObject({ code: 'DEVICE_UNKNOWN' });
  expect((await again.infer(row())).where).toBe('local');
  expect(again.reportFault).toMatchObject({ code: 'DEVICE_UNKNOWN' });
  expect((await node.run('edge', 'show', id)).stderr).toContain('There is no device');
}, 60_000);

it('a device without an invitation, and one with a used link, is refused', async () => {
  await expect(deviceOf('uninvited', {})).rejects.toMatchObject({ code: 'INVITATION_INVALID' });
  const { link } = await node.json<{ link: string }>('edge', 'invite', 'kiosk', '--json');
  const first = await deviceOf('kiosk', { invitation: link });
  await first.report();
  const second = await deviceOf('other', { invitation: link });
  await expect(second.report()).rejects.toMatchObject({ code: 'INVITATION_INVALID' });
  await expect(deviceOf('typo', { invitation: link.slice(0, -3) })).rejects.toMatchObject({
    code: 'INVITATION_INVALID',
  });
}, 60_000);

it('a device waits for its rollout, then moves, and never goes back', async () => {
  const { link } = await node.json<{ link: string }>(
    'edge',
    'invite',
    'scale',
    '--label',
    'site=a',
    '--json',
  );
  const edge = await deviceOf('scale', { invitation: link });
  expect(await edge.update()).toMatchObject({ kind: 'updated', version: 1 });
  const rollout = (...words: string[]) => node.run('edge', 'rollout', 'risk', ...words);
  expect((await rollout('2', '--share', '100%', '--label', 'site=b')).stdout).toMatch(
    /risk v2 .* 100 % with site=b\n +0 of 2 devices may have it/,
  );
  writeFileSync(path('risk.onnx'), writeModel(mlp({ sizes: [4, 8, 3], seed: 2 })));
  await node.run('edge', 'pack', 'risk.onnx');
  expect(await edge.update()).toEqual({
    kind: 'held',
    version: 2,
    reason: 'version 2 is for 100 % of the devices with site=b, and this is none of them',
  });
  expect((await node.run('edge', 'show', 'scale')).stdout).toContain('this is none of them');
  await rollout('2', '--share', '100', '--label', 'site=a');
  expect((await rollout('--halt', '--reason', 'lunch')).stdout).toContain('halted: lunch');
  expect(await edge.update()).toMatchObject({ kind: 'held' });
  await rollout('--resume');
  expect(await edge.update()).toMatchObject({ kind: 'updated', version: 2, from: 1 });
  await edge.report();
  expect((await rollout()).stdout).toContain('1 of 2 devices may have it, 1 have it, 0 failed');
  // A node that allows only an older version changes nothing.
  await rollout('1', '--share', '100%');
  expect(await edge.update()).toMatchObject({ kind: 'trial', version: 2 });
  expect(edge.version).toBe(2);
  expect((await rollout('--end')).stdout).toContain('All devices follow the publisher of risk.');
  expect((await rollout()).stderr).toContain('There is no rollout of the bundle risk.');
  expect((await rollout('3')).stderr).toContain('--share 10%');
}, 90_000);
