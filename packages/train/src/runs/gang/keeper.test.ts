import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runPath } from '@skein/state/runs';
import { expect, it } from 'vitest';
import { testFolder } from '../../../../../scripts/testing/folder.ts';
import { sampleRun } from '../../../../state/src/runs/testing/sample-run.ts';
import { saveCheckpoint } from '../../checkpoint/checkpoint.ts';
import { fileStore } from '../../checkpoint/file-store.ts';
import type { Tensors } from '../../run/backend.ts';
import { ringOptions } from '../../parallel/testing/ring.ts';
import { keptRun, openKeeper } from './keeper.ts';

const root = testFolder();
let folders = 0;
const newFolder = () => join(root, String(folders++));

const weights: Tensors = new Map([
  ['w', { type: 'float32', shape: [2], bytes: new Uint8Array([0, 0, 192, 127, 1, 2, 3, 4]) }],
]);

/** A folder with a run whose checkpoint has come so far. */
async function folderAt(step: number, id = 'run-1'): Promise<string> {
  const folder = newFolder();
  const path = runPath(folder, id);
  await mkdir(path, { recursive: true });
  await writeFile(join(path, 'start.onnx'), `start of ${id}`);
  await writeFile(join(path, 'plan.json'), '{}');
  await writeFile(join(path, 'run.json'), JSON.stringify(sampleRun(id)));
  const checkpoint = { plan: {}, progress: { step }, tensors: weights };
  await saveCheckpoint(fileStore(join(path, 'checkpoint.safetensors')), checkpoint);
  return folder;
}

async function openAll(dataFolders: readonly string[]) {
  const ring = await ringOptions(dataFolders.length);
  return Promise.all(dataFolders.map((folder, rank) => openKeeper({ ...ring, rank }, folder)));
}

it('gives the leader the run of the rank with the most steps', async () => {
  const leader = newFolder();
  const keepers = await openAll([leader, await folderAt(30), await folderAt(45)]);
  await Promise.all(keepers.map((each) => each.close()));
  expect(await keptRun(leader)).toMatchObject({ id: 'run-1', steps: 45 });
  expect(await readFile(join(runPath(leader, 'run-1'), 'start.onnx'), 'utf8')).toBe(
    'start of run-1',
  );
});

it('keeps the leader’s run when no rank has more steps', async () => {
  const leader = await folderAt(30, 'own');
  const keepers = await openAll([leader, await folderAt(30, 'other')]);
  await Promise.all(keepers.map((each) => each.close()));
  expect(await keptRun(leader)).toMatchObject({ id: 'own', steps: 30 });
  const empty = [newFolder(), newFolder()];
  await Promise.all((await openAll(empty)).map((each) => each.close()));
  expect(await keptRun(empty[0]!)).toBeUndefined();
});

it('gives every rank a copy, bit for bit, until the leader ends', async () => {
  const leader = await folderAt(10);
  const others = [newFolder(), newFolder()];
  const [first, ...rest] = await openAll([leader, ...others]);
  const taking = rest.map((each) => each.take());
  const path = runPath(leader, 'run-1');
  await first!.give({ id: 'run-1', path });
  await first!.give({ id: 'run-1', path });
  await first!.close();
  await Promise.all(taking);
  await Promise.all(rest.map((each) => each.close()));
  for (const other of others) {
    for (const file of ['run.json', 'start.onnx', 'plan.json', 'checkpoint.safetensors']) {
      const [copy, original] = await Promise.all(
        [runPath(other, 'run-1'), path].map((where) => readFile(join(where, file))),
      );
      expect(copy!.equals(original!), file).toBe(true);
    }
  }
});
