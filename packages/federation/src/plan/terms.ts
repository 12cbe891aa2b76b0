/**
 * The terms of a plan that no kind defines: columns, sites, steps, deadlines. Kinds read them and never each other, so
 * that the rules of a kind hold with every other kind.
 */
import { safeLine } from '@skein/api/safe-text';
import { z } from 'zod';

/** Sites and the server compute in float32, where a number beyond these is infinite, or its reciprocal is. */
export const positive = z.number().positive().min(1e-38).max(1e38);
export const count = z.int().min(1);
/** A person reads it in a terminal before accepting: no line breaks, which could pass for terms of the plan. */
export const name = z
  .string()
  .min(1)
  .max(200)
  .refine((text) => safeLine(text) === text, 'must not have control characters');
/** With larger ones a step leaves the numbers of float32, and no site can train from its result. */
export const rate = positive.max(1e9);
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
  z.strictObject({
    /** A tensor for each row, such as the pixels of an image: the only feature of its plan. */
    kind: z.literal('array'),
    name,
    type: z.enum(['uint8', 'float32']),
    /** Sizes of a row: [channels, height, width] of an image. */
    shape: z.array(z.int().min(1).max(8192)).min(1).max(4),
    /** Become 0 and 1. Default: 0 and 255 of bytes, 0 and 1 of floats. */
    low: z.number().optional(),
    high: z.number().optional(),
  }),
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

export const Local = z.strictObject({
  /** Steps of a round at each site. */
  steps: count.max(1_000_000).default(1),
  /** Rows of a step; absent: all rows. With privacy `patient` its sampling chooses them. */
  batch: count.optional(),
  /** Absent with privacy `patient`, whose sites send sums of gradients. */
  learningRate: rate.optional(),
});

/** A helper as `skein helper key` prints it. */
export const PlannedHelper = z.strictObject({
  /** The institution; sites read it before they accept. */
  name,
  /** Ed25519 public key, with which it signs. */
  identity: hex32,
  /** X25519 public key, to which sites seal the seeds of their masks. */
  sealing: hex32,
  /** Signature of `sealing` by `identity`: a stranger's key with a trusted name would open all seeds. */
  proof: z.string().regex(/^[0-9a-f]{128}$/, 'must be 64 bytes in hex'),
});
export type PlannedHelper = z.output<typeof PlannedHelper>;

export const Sites = z.strictObject({
  /** Sites that must take part before a round begins. */
  minimum: z.int().min(2).max(10_000).default(2),
  maximum: z.int().min(2).max(10_000).default(64),
  /** Sites that must finish a round. Absent in a draft: ⌊2n/3⌋ + 1 of the minimum n, or of a buffer of n. */
  threshold: z.int().min(2).max(10_000),
});

export const Collusion = z.strictObject({
  /**
   * Sites that may give their noise to the coordinator, or use it: each can subtract its own from the model. The noise
   * of the others still keeps the budget. Absent in a draft: 1 where sites add the noise.
   */
  sites: z.int().min(0),
  /**
   * Helpers that may give their noise to the coordinator, with aggregation committee; the noise of the others
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
