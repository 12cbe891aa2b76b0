/** How a new version takes over, as options that `deploy` and `rollout` share. */
import type { RolloutPlan } from '@skein/api';
import { decimal, decimals, duration, flag, integer, text } from './option.ts';
import { usageError } from './usage.ts';

export const rolloutOptions = {
  canary: decimals('5,25,100', 'Shift traffic in these steps of percent; rolls back by itself.', {
    min: 0.01,
    max: 100,
  }),
  shadow: flag(
    'Copy traffic to the new version and compare its outputs; its answers are discarded.',
  ),
  stepTime: duration('How long each canary step must hold (default 10s).', {
    min: 100,
    max: 86_400_000,
  }),
  minRequests: integer('N', 'Requests that a step or shadow must see before it is judged.', {
    min: 1,
    max: 1_000_000_000,
  }),
  sticky: text('HEADER', 'Keep callers on one version by a hash of this request header.'),
  tolerance: decimal(
    'X',
    'Largest difference of outputs that is tolerated; a canary compares only with one.',
    {
      min: 0,
      max: Number.MAX_VALUE,
    },
  ),
  maxErrorShare: decimal('SHARE', 'Roll back above this share of errors (default 0.01).', {
    min: 0,
    max: 1,
  }),
};

export interface RolloutChoice {
  readonly canary: readonly number[] | undefined;
  readonly shadow: boolean;
  readonly stepTime: number | undefined;
  readonly minRequests: number | undefined;
  readonly sticky: string | undefined;
  readonly tolerance: number | undefined;
  readonly maxErrorShare: number | undefined;
}

/** The plan that the options ask for; the node fills in what they leave out. @throws SkeinError USAGE. */
export function rolloutPlan(choice: RolloutChoice): Partial<RolloutPlan> | undefined {
  if (choice.canary !== undefined && choice.shadow) {
    throw usageError('--canary and --shadow exclude each other.');
  }
  const details: Partial<RolloutPlan> = {
    ...(choice.stepTime === undefined ? {} : { stepMs: Math.round(choice.stepTime) }),
    ...(choice.minRequests === undefined ? {} : { minRequests: choice.minRequests }),
    ...(choice.sticky === undefined ? {} : { stickyHeader: choice.sticky }),
    ...(choice.tolerance === undefined ? {} : { tolerance: choice.tolerance }),
    ...(choice.maxErrorShare === undefined ? {} : { maxErrorShare: choice.maxErrorShare }),
  };
  if (choice.canary !== undefined) {
    const ordered = choice.canary.every((step, at) => step > (choice.canary?.[at - 1] ?? 0));
    if (!ordered) throw usageError(`--canary: the steps ${choice.canary.join(',')} must grow.`);
    const steps = choice.canary.at(-1) === 100 ? choice.canary : [...choice.canary, 100];
    return { strategy: 'canary', steps: [...steps], ...details };
  }
  if (choice.shadow) return { strategy: 'shadow', ...details };
  const [first] = Object.keys(details);
  if (first !== undefined) {
    throw usageError('The options of a rollout need --canary or --shadow.');
  }
  return undefined;
}
