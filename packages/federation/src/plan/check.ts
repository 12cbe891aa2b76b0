/** Refuses a plan that contradicts itself. Runs in Node and in the browser. */
import { SkeinError } from '@skein/api/errors';
import { publicTask } from '@skein/train';
import { fewestUpdates } from '@skein/train/federated';
import type { z } from 'zod';
import { bufferOf } from './buffer.ts';
import { helpersOf } from './helpers.ts';
import { Plan } from './plan.ts';

/**
 * Checks a plan that came from elsewhere.
 * @throws SkeinError PLAN_INVALID, naming the fields.
 */
export function checkPlan(value: unknown): Plan {
  const plan = parsed(Plan, value);
  for (const [wrong, reason] of contradictions(plan)) if (wrong) refuse(reason);
  return plan;
}

function categoriesOf(column: Plan['data']['features'][number] | Plan['data']['target']): string[] {
  if (column.kind === 'number') return [];
  return 'classes' in column ? column.classes : column.categories;
}

const hasTwice = (words: readonly string[]): boolean => new Set(words).size < words.length;

/** One line per rule. */
function contradictions(plan: Plan): readonly (readonly [boolean, string])[] {
  const { aggregation, collusion, data, local, privacy, sites, strategy } = plan;
  const names = [...data.features, data.target].map((column) => column.name);
  const ranges = [...data.features, data.target].filter((column) => column.kind === 'number');
  const isPrivate = privacy.mode !== 'none';
  const isPatient = privacy.mode === 'patient';
  const isSecure = aggregation.kind !== 'none';
  const mostRows = aggregation.kind === 'none' ? undefined : aggregation.mostRows;
  const robust = aggregation.kind === 'none' ? aggregation.robust : undefined;
  const repeatsWithOthers =
    aggregation.kind === 'committee' && aggregation.repeatWithOthers === true;
  const helpers = helpersOf(plan);
  const buffer = bufferOf(plan)?.buffer;
  const keys = helpers.flatMap(({ identity, sealing }) => [identity, sealing]);
  return [
    [hasTwice(names), 'data names a column twice.'],
    ...[...data.features, data.target].map((column): readonly [boolean, string] => [
      hasTwice(categoriesOf(column)),
      `${JSON.stringify(column.name)} of data has a category twice.`,
    ]),
    [
      ranges.some(({ low, high }) => low >= high),
      'data has a range whose low is not below its high.',
    ],
    [
      plan.task !== publicTask(data.target),
      `the task of the plan, or of its model, is ${plan.task}, and data.target is of a ${publicTask(data.target)} one.`,
    ],
    [sites.minimum > sites.maximum, 'sites.minimum is above sites.maximum.'],
    [
      sites.threshold > sites.minimum,
      `sites.threshold ${sites.threshold} is above sites.minimum ${sites.minimum}.`,
    ],
    [
      aggregation.kind === 'pairwise' && sites.threshold <= sites.minimum / 2,
      'sites.threshold is not above half of sites.minimum: a server could ask two halves for different sums.',
    ],
    [
      aggregation.kind === 'pairwise' && sites.maximum > 255,
      'sites.maximum is above 255, the most that pairwise aggregation shares secrets among.',
    ],
    [
      new Set(helpers.map((helper) => helper.name)).size < helpers.length,
      'aggregation.helpers has a name twice.',
    ],
    [new Set(keys).size < keys.length, 'aggregation.helpers has a key twice.'],
    [
      collusion.helpers !== undefined && collusion.helpers >= helpers.length,
      helpers.length === 0
        ? 'collusion.helpers is of aggregation committee, which has helpers.'
        : `collusion.helpers ${collusion.helpers} leaves no honest one of ${helpers.length} helpers.`,
    ],
    [
      isPrivate && collusion.sites >= sites.threshold,
      'collusion.sites leaves no honest site below sites.threshold.',
    ],
    [
      isPrivate && data.scaling === 'site',
      'data.scaling site voids the promise of differential privacy: give public ranges, or privacy none.',
    ],
    [
      isPatient && local.steps !== 1,
      'local.steps must be 1 with privacy patient: each step adds its noise to the sum of all sites.',
    ],
    [
      isPatient && local.batch !== undefined,
      'local.batch is not read with privacy patient, where privacy.sampling chooses the rows of the one step: leave it out.',
    ],
    [
      isPatient && local.learningRate !== undefined,
      'local.learningRate is not read with privacy patient, where sites send sums of gradients: give strategy fedsgd its learningRate instead.',
    ],
    [!isPatient && local.learningRate === undefined, 'local.learningRate is missing.'],
    [
      isPrivate && mostRows !== undefined,
      'aggregation.mostRows is not read with privacy, where privacy.denominator divides the sum: leave it out.',
    ],
    [isSecure && !isPrivate && mostRows === undefined, 'aggregation.mostRows is missing.'],
    [
      isPatient && strategy.name === 'scaffold',
      'strategy scaffold corrects the drift of several steps, and with privacy patient a site takes one: use fedsgd or fedavg.',
    ],
    [
      robust !== undefined && sites.threshold < fewestUpdates(robust),
      `aggregation.robust ${robust?.name} needs the updates of ${robust && fewestUpdates(robust)} sites, and sites.threshold is ${sites.threshold}.`,
    ],
    [
      strategy.name === 'scaffold' && 'share' in aggregation && aggregation.share !== undefined,
      'aggregation.share sends a part of what a site has learnt, and with strategy scaffold each site goes on from all of it: leave one of them out.',
    ],
    [
      buffer !== undefined && aggregation.kind === 'pairwise',
      'strategy fedbuff needs aggregation committee: pairwise masks cancel between sites that answer the same round, and a buffer is of those that are ready.',
    ],
    [
      buffer !== undefined && !isSecure,
      'strategy fedbuff needs aggregation committee: with none the coordinator would see each update, which no plan of it is built for.',
    ],
    [
      buffer !== undefined && buffer < sites.threshold,
      `strategy.buffer ${buffer} is below sites.threshold ${sites.threshold}: no full buffer would be a sum.`,
    ],
    [
      buffer !== undefined && buffer > sites.minimum,
      `strategy.buffer ${buffer} is above sites.minimum ${sites.minimum}: a round may begin with fewer sites, and none of them gives it two updates.`,
    ],
    [
      buffer !== undefined && isPrivate && privacy.sampling.kind !== 'all',
      'privacy.sampling must be all with strategy fedbuff: which sites are fast is no secret coin, and one update may be masked for a second sum.',
    ],
    [
      buffer !== undefined && !isPrivate && !repeatsWithOthers,
      'aggregation.repeatWithOthers must be true with strategy fedbuff without privacy: a round that is tried again is of the sites that are ready then.',
    ],
    [
      isPrivate && repeatsWithOthers,
      'aggregation.repeatWithOthers is not read with privacy, whose noise protects each sum: leave it out.',
    ],
    [
      aggregation.kind === 'none' && isPrivate,
      'privacy needs aggregation pairwise or committee: without it the coordinator sees updates with a share of the noise only.',
    ],
  ];
}

export function parsed<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const field = issue?.path.join('.') ?? '';
  // Of the plan as a whole, such as a field that it has not.
  return refuse(`${field === '' ? '' : `${field}: `}${issue?.message ?? 'it is invalid'}.`);
}

export function refuse(reason: string): never {
  throw new SkeinError('PLAN_INVALID', `The plan is refused: ${reason}`);
}
