/** A device whose sessions run here, and the numbers that its active version gives. */
import { sha256 } from '@skein/api/canonical';
import { nativeRuntime } from '@skein/runtime';
import { tensor, values, type NumericTensor } from '@skein/onnx';
import type { Session } from '@skein/runtime/contract';
import type { Bytes } from '../../trust/source.ts';
import { NOW } from '../../trust/testing/publisher.ts';
import { HEALTH_ANSWERS } from '../state.ts';
import { openUpdater, type Updater, type UpdaterOptions } from '../updater.ts';

export const openSession = (model: Bytes): Promise<Session> =>
  nativeRuntime.open({ bytes: model.slice() }, { device: 'cpu', threads: 1, isolation: 'thread' });

const opened = new Map<string, Session>();

/** One session for each model, which stays open: to start one takes most of an update's time. */
export async function sharedSession(model: Bytes): Promise<Session> {
  const key = await sha256(model);
  const session = opened.get(key) ?? (await openSession(model));
  opened.set(key, session);
  return { ...session, close: async () => undefined };
}

export async function closeShared(): Promise<void> {
  for (const session of opened.values()) await session.close();
  opened.clear();
}

export function openDevice(
  options: Pick<UpdaterOptions, 'storage' | 'source' | 'pinnedRoot'> & Partial<UpdaterOptions>,
): Promise<Updater> {
  return openUpdater({
    name: 'risk',
    backend: 'native',
    runtimeVersion: '1.30.0',
    open: openSession,
    now: () => NOW,
    ...options,
  });
}

/** The answer of a model to one row. */
export async function answerOf(model: Bytes): Promise<number[]> {
  const session = await openSession(model);
  try {
    const x = tensor('float32', [1, 4], Float32Array.of(1, -2, 3, -4));
    const { outputs } = await session.run(new Map([['x', x]]));
    return Array.from(values(outputs.get('y') as NumericTensor), Number);
  } finally {
    await session.close();
  }
}

/** Ends the trial of the active version. */
export async function commit(device: Updater): Promise<void> {
  for (let count = 0; count < HEALTH_ANSWERS; count++) await device.answered();
}
