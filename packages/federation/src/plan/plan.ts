/**
 * The plan of a federation: everything that a site agrees to before it computes anything. Its
 * digest is signed by each site, and is a part of what every later message is signed over, so that
 * the coordinator cannot change a term, nor show two sites different ones.
 *
 * Secure aggregation and differential privacy are on unless the plan turns them off in words.
 */
import { z } from 'zod';
import { AGGREGATIONS } from './kinds/aggregations/aggregations.ts';
import { PRIVACIES } from './kinds/privacies.ts';
import { draftsOf, termsOf } from './kinds/registry.ts';
import { STRATEGIES } from './kinds/strategies/strategies.ts';
import { Collusion, count, Data, Deadlines, Digest, Local, name, Sites } from './terms.ts';

/** The version of the plan and of the messages. */
export const PROTOCOL = 1;

export const Strategy = z.discriminatedUnion('name', termsOf(STRATEGIES));
export const Aggregation = z.discriminatedUnion('kind', termsOf(AGGREGATIONS));
export const Privacy = z.discriminatedUnion('mode', termsOf(PRIVACIES));

const shared = {
  protocol: z.literal(PROTOCOL).default(PROTOCOL),
  name,
  /** The model as ONNX, and how many numbers are trained in it. */
  model: z.strictObject({ digest: Digest, parameters: count.max(2 ** 31) }),
  data: Data,
  task: z.enum(['classification', 'binary', 'regression']),
  strategy: Strategy,
  rounds: count.max(1_000_000),
  local: Local.prefault({}),
  deadlines: Deadlines.prefault({}),
};

/** A complete plan. */
export const Plan = z.strictObject({
  ...shared,
  aggregation: Aggregation,
  collusion: Collusion,
  privacy: Privacy,
  sites: Sites,
});
export type Plan = z.output<typeof Plan>;

/** A plan as an operator writes it: `completePlan` fills in the terms that follow from the others. */
export const PlanDraft = z.strictObject({
  ...shared,
  aggregation: z.discriminatedUnion('kind', draftsOf(AGGREGATIONS)).prefault({ kind: 'pairwise' }),
  privacy: z.discriminatedUnion('mode', draftsOf(PRIVACIES)).optional(),
  collusion: Collusion.partial({ sites: true }).prefault({}),
  sites: Sites.partial({ threshold: true }).prefault({}),
});
export type PlanDraft = z.input<typeof PlanDraft>;
