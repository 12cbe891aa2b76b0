/** Work without secure aggregation: the coordinator sees each update, which the plan says in words. */
import type { SkeinError } from '@skein/api/errors';
import type { Outcome, Task, Work } from '../answers.ts';
import { summedOf } from './carried.ts';
import type { SiteTraining } from './training.ts';
import { protocolError } from '../../transport/messages.ts';

/** `train`: the payload is the broadcast, float32; the answer is the update, with the site's weight. */
export function plainWork(training: SiteTraining): Work {
  return async (task: Task): Promise<Outcome> => {
    if (task.place.phase !== 'train') throw unknownPhase(task);
    const { round } = task.place;
    const given = floatsOf(task.payload);
    const { numbers, weight } = await training.update(round, given, summedOf(task));
    return { fields: { weight }, payload: new Uint8Array(Float32Array.from(numbers).buffer) };
  };
}

/** @throws SkeinError FEDERATION_PROTOCOL for a payload that is not of float32. */
export function floatsOf(payload: Uint8Array<ArrayBuffer> | undefined): Float32Array {
  if (payload === undefined || payload.length % 4 !== 0) {
    throw protocolError('A task of training has no parameters.');
  }
  return new Float32Array(payload.slice().buffer);
}

export function unknownPhase({ place }: Pick<Task, 'place'>): SkeinError {
  return protocolError(`There is no phase "${place.phase}" for a site.`);
}
