/** A composition that never becomes ready, or never ends a request, blocks nothing. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { CompositionTarget } from './composition-target.ts';
import { openScene, record, request } from './testing/scene.ts';

const folder = testFolder();

const target = (source: string, startTimeoutMs: number): CompositionTarget => {
  const modulePath = join(folder, 'stuck.mjs');
  writeFileSync(modulePath, source);
  const nothing = (): void => {};
  return new CompositionTarget({
    deployment: 'stuck',
    record,
    modulePath,
    maxQueue: 4,
    objectiveMs: 1_000,
    startTimeoutMs,
    weightOf: () => 1,
    finiteOnly: false,
    clock: performance,
    observer: { answered: nothing, refused: nothing, batchRan: nothing, replicaChanged: nothing },
    infer: () => Promise.reject(new Error('unused')),
    log: nothing,
  });
};

it('is not ready within its timeout, and reports it', async () => {
  const stuck = target('for (;;);', 300);
  stuck.scaleTo(1);
  await expect(stuck.whenReady()).rejects.toMatchObject({ code: 'MODEL_START_TIMEOUT' });
  await stuck.drain(performance.now());
});

it('fails unanswered requests at its drain deadline', async () => {
  const { target: busy } = await openScene(() => new Promise(() => {}));
  const answers = [1, 2].map((i) =>
    busy.submit(request('double then increment', [i])).then(
      () => 'answered',
      ({ code }: { code: string }) => code,
    ),
  );
  const drained = busy.drain(performance.now() + 200);
  expect(await Promise.all(answers)).toEqual(['NODE_DRAINING', 'NODE_DRAINING']);
  await drained;
});
