import { SkeinError } from '@skein/api';
import { SharedBudget } from '@skein/api/shared-budget';

/** What the messages of a member in a test may hold together, in bytes. */
export function bytesBudget(max: number): SharedBudget {
  return new SharedBudget({
    name: 'bodies',
    unit: 'bytes',
    max,
    refuse: () => new SkeinError('BODIES_TOO_LARGE', 'Too large.'),
  });
}
