import { RuntimeFailure, type Runtime, type SessionOptions } from '@skein/runtime';
import { expect, it } from 'vitest';
import { tryOut } from './trial.ts';

it('runs in a process that leaves the cores to the versions that serve', async () => {
  const opened: SessionOptions[] = [];
  const runtime: Runtime = {
    name: 'native',
    open(_, options) {
      opened.push(options);
      return Promise.reject(new RuntimeFailure('load', 'It is no model.'));
    },
  };
  const warming = {
    signature: { inputs: [], outputs: [] },
    clock: performance,
    maxRows: 1,
    objectiveMs: 100,
  };
  const session = { device: 'cpu', threads: 1 } as const;
  const trial = tryOut(
    { runtime, model: { path: 'none.onnx' }, session, warming },
    new AbortController().signal,
  );
  await expect(trial).rejects.toThrow('It is no model.');
  expect(opened).toMatchObject([{ isolation: 'process', yields: true }]);
});
