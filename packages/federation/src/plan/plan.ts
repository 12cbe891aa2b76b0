/**
 * The plan of a federation: everything that a site agrees to before it computes anything. Its
 * digest is signed by each site, and is a part of what every later message is signed over, so that
 * the coordinator cannot change a term, nor show two sites different ones.
 *
 * Secure aggregation and differential privacy are on unless the plan says otherwise in words.
 */
import { safeLine } from '@skein/api/safe-text';
import { z } from 'zod';

/** The version of the plan and of the messages. */
export const PROTOCOL = 1;

/** Sites and the server compute in float32, where a number beyond these is infinite, or its reciprocal is. */
const positive = z.number().positive().min(1e-38).max(1e38);
const count = z.int().min(1);
/** A person reads it in a terminal before accepting: no line breaks, which could pass for terms of the plan. */
const name = z
  .string()
  .min(1)
  .max(200)
  .refine((text) => safeLine(text) === text, 'must not have control characters');
/** With larger ones a step leaves the numbers of float32, and no site can train from its result. */
const rate = positive.max(1e9);
const hex32 = z.string().regex(/^[0-9a-f]{64}$/, 'must be 32 bytes in hex');
/** sha-256 in hex. */
export const Digest = hex32;

const Range = { low: z.number(), high: z.number() };
const Categories = z.array(z.string().max(200)).min(2).max(10_000);

export const Feature = z.discriminatedUnion('kind', [
  z.strictObject({
    name,
    kind: z.literal('number'),
    ...Range,
    /** Replaces a missing value. Default: a missing value is an error. */
    fill: z.number().optional(),
  }),
  z.strictObject({ name, kind: z.literal('category'), categories: Categories }),
]);

export const Target = z.discriminatedUnion('kind', [
  z.strictObject({ name, kind: z.literal('category'), classes: Categories }),
  z.strictObject({ name, kind: z.literal('number'), ...Range }),
]);

export const Data = z.strictObject({
  features: z.array(Feature).min(1).max(100_000),
  target: Target,
  /**
   * `public`: numbers are scaled by the ranges of the plan. `site`: by the mean and deviation of the
   * site's own rows, which voids a promise to patients: one row moves all others.
   */
  scaling: z.enum(['public', 'site']).default('public'),
});

/** β₁, β₂ and τ of the adaptive server optimisers (Reddi 2021). */
const Adaptive = {
  learningRate: rate.default(0.01),
  beta1: z.number().min(0).lt(1).default(0.9),
  beta2: z.number().min(0).lt(1).default(0.999),
  tau: positive.default(1e-8),
};

export const Strategy = z.discriminatedUnion('name', [
  z.strictObject({ name: z.literal('fedavg') }),
  z.strictObject({ name: z.literal('fedprox'), mu: z.number().min(0).max(1e38).default(0.01) }),
  z.strictObject({ name: z.literal('fedadam'), ...Adaptive }),
  z.strictObject({ name: z.literal('fedyogi'), ...Adaptive }),
  z.strictObject({ name: z.literal('fedadagrad'), ...Adaptive }),
  z.strictObject({ name: z.literal('scaffold'), learningRate: rate.default(1) }),
  /**
   * A round ends when `buffer` updates are in (Nguyen 2022). They may be of the parameters of up to `staleness` rounds
   * ago, and count less by then.
   */
  z.strictObject({
    name: z.literal('fedbuff'),
    buffer: z.int().min(2).max(10_000),
    staleness: z.int().min(0).max(1000).default(10),
    learningRate: rate.default(1),
  }),
  /** One gradient step of all examples together: the sum over sites divided by a public number. */
  z.strictObject({ name: z.literal('fedsgd'), learningRate: rate.default(1) }),
]);

export const Local = z.strictObject({
  /** Steps of a round at each site. */
  steps: count.max(1_000_000).default(1),
  /** Rows of a step; absent: all rows. With privacy `patient` its sampling chooses them. */
  batch: count.optional(),
  /** Absent with privacy `patient`, whose sites send sums of gradients. */
  learningRate: rate.optional(),
});

export const Privacy = z.discriminatedUnion('mode', [
  z.strictObject({
    /** `patient`: hides one row. `client`: hides all rows of one site. */
    mode: z.enum(['patient', 'client']),
    /** Bound on the L2 norm of what one row, or one site, adds to the sum. */
    clip: positive.default(1),
    /** Standard deviation of the noise in the sum over `clip`. Absent in a draft: fits the budget. */
    noise: positive,
    epsilon: positive.default(1),
    delta: z.number().gt(0).lt(1).default(1e-3),
    /**
     * How the rows of a step, or the sites of a sum, are chosen. A site tosses its own coin: one that is not chosen
     * sends zeros under its masks, so that no other party learns which sites were.
     */
    sampling: z
      .discriminatedUnion('kind', [
        z.strictObject({ kind: z.literal('all') }),
        z.strictObject({ kind: z.literal('poisson'), rate: z.number().gt(0).max(1) }),
      ])
      .default({ kind: 'all' }),
    /** What the sum is divided by: public and fixed, never the number of rows that took part. */
    denominator: positive,
  }),
  z.strictObject({ mode: z.literal('none') }),
]);

/** Bits of a quantised number; the secure sum adds those that its carries need. */
const encoded = {
  bits: z.union([z.literal(8), z.literal(16)]).default(16),
  /** Numbers of an update are clipped to ±range before they become integers. */
  range: positive,
  /** The most rows of a site, by which updates are weighted; absent with privacy. */
  mostRows: count.max(1e9).optional(),
  /**
   * Part of the numbers that sites send in an attempt (rand-k), drawn anew from the digest of the plan: the same
   * for all sites, so that it tells nothing of their rows. Absent: all.
   */
  share: z.number().gt(0).lt(1).optional(),
};

/** Why a masked sum has no top-k, which trainings have in `compression`. */
const secureTerms = {
  error: ({ code, keys }: { readonly code?: string; readonly keys?: readonly string[] }) =>
    code === 'unrecognized_keys' &&
    keys?.some((key) => /^(compression|top.?k)$/i.test(key)) === true
      ? 'A masked sum is compressed by "bits" and "share" (rand-k): the places of the largest numbers, which top-k sends, would tell of the rows of a site'
      : undefined,
};

/** A helper as `skein helper key` prints it. */
export const PlannedHelper = z.strictObject({
  /** Of the institution; sites read it before they accept. */
  name,
  /** Ed25519 public key, with which it signs. */
  identity: hex32,
  /** X25519 public key, to which sites seal the seeds of their masks. */
  sealing: hex32,
  /** Signature of `sealing` by `identity`: the key of a stranger beside a trusted name would open all seeds. */
  proof: z.string().regex(/^[0-9a-f]{128}$/, 'must be 64 bytes in hex'),
});
export type PlannedHelper = z.output<typeof PlannedHelper>;

/** See `RobustRule` of `@skein/train/federated`. */
export const Robust = z.discriminatedUnion('name', [
  z.strictObject({ name: z.literal('median') }),
  z.strictObject({ name: z.literal('trimmed-mean'), dishonest: count }),
  z.strictObject({ name: z.literal('krum'), dishonest: count }),
  z.strictObject({ name: z.literal('norm-bound'), norm: positive }),
]);

export const Aggregation = z.discriminatedUnion('kind', [
  /** Pairwise masks against a malicious server (Bonawitz 2017): 2 to 255 sites, on a ring above 64. */
  z.strictObject({ kind: z.literal('pairwise'), ...encoded }, secureTerms),
  /** One message per site and round; a committee of helpers removes the masks of the sum. */
  z.strictObject(
    {
      kind: z.literal('committee'),
      ...encoded,
      /** A round needs all of them, and stays private while one is honest. */
      helpers: z.array(PlannedHelper).min(2).max(8),
      /**
       * Without differential privacy: a round that is tried again may be of other sites, whose updates the
       * difference of two sums then tells. Absent: helpers refuse it.
       */
      repeatWithOthers: z.literal(true).optional(),
    },
    secureTerms,
  ),
  /** The coordinator sees each update, which the plan has to say. */
  z.strictObject({
    kind: z.literal('none'),
    coordinatorSeesUpdates: z.literal(true),
    /** What is taken of the updates in place of their mean by rows, where sites may be dishonest. */
    robust: Robust.optional(),
  }),
]);

export const Sites = z.strictObject({
  /** Sites that must take part before a round begins. */
  minimum: z.int().min(2).max(10_000).default(2),
  maximum: z.int().min(2).max(10_000).default(64),
  /** Sites that must finish a round. Absent in a draft: ⌊2n/3⌋ + 1 of the minimum n, or of a buffer of n. */
  threshold: z.int().min(2).max(10_000),
});

export const Collusion = z.strictObject({
  /**
   * Sites that may tell the coordinator their noise, or use it themselves: each can subtract its own from the model. That
   * of the others still keeps the budget. Absent in a draft: 1 where sites add the noise.
   */
  sites: z.int().min(0),
  /**
   * Helpers that may tell the coordinator their noise, with aggregation committee; that of the others
   * still keeps the budget. Absent in a draft: all but one.
   */
  helpers: z.int().min(0).optional(),
});

export const Deadlines = z.strictObject({
  /** Longest wait for the messages of a phase that computes little, in milliseconds. */
  phaseMs: count.max(86_400_000).default(60_000),
  /** The same for a phase in which sites train. */
  trainMs: count.max(86_400_000).default(600_000),
});

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

const [priv, open] = Privacy.options;
const [pairwise, committee, plain] = Aggregation.options;
/** Absent: as `completePlan` says. */
const absent = { range: true } as const;
/** What an operator writes: `completePlan` fills in what follows from the rest. */
export const PlanDraft = z.strictObject({
  ...shared,
  aggregation: z
    .discriminatedUnion('kind', [pairwise.partial(absent), committee.partial(absent), plain])
    .prefault({ kind: 'pairwise' }),
  privacy: z
    .discriminatedUnion('mode', [priv.partial({ noise: true, denominator: true }), open])
    .optional(),
  collusion: Collusion.partial({ sites: true }).prefault({}),
  sites: Sites.partial({ threshold: true }).prefault({}),
});
export type PlanDraft = z.input<typeof PlanDraft>;
