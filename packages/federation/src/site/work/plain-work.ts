/** Work without secure aggregation: the coordinator sees each update, and the plan states it in words. */
import type { SkeinError } from '@skein/api/errors';
import type { Plan } from '../../plan/plan.ts';
import type { Outcome, Task, Work } from '../answers.ts';
import { summedOf } from './carried.ts';
import { parametersOf } from './parameters.ts';
import type { SiteTraining } from './training.ts';
import { protocolError } from '../../transport/messages.ts';

/** `train`: the payload is the broadcast, float32; the answer is the update, with the site's weight. */
export function plainWork(plan: Plan, training: SiteTraining): Work {
  const read = parametersOf(plan);
  return async (task: Task): Promise<Outcome> => {
    if (task.place.phase !== 'train') throw unknownPhase(task);
    const { round } = task.place;
    const given = read(task.payload);
    const { numbers, weight } = await training.update(round, given, summedOf(task));
    return { fields: { weight }, payload: new Uint8Array(Float32Array.from(numbers).buffer) };
  };
}

export function unknownPhase({ place }: Pick<Task, 'place'>): SkeinError {
  return protocolError(`There is no phase "${place.phase}" for a site.`);
}
