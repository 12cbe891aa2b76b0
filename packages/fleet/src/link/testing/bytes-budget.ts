import { SkeinError } from '@skein/api';
import { SharedBudget } from '@skein/api/shared-budget';

/** Bound of the messages of a member in a test together, in bytes. */
export function bytesBudget(max: number): SharedBudget {
  return new SharedBudget({
    name: 'bodies',
    unit: 'bytes',
    max,
    refuse: () => new SkeinError('BODIES_TOO_LARGE', 'Too large.'),
  });
}
