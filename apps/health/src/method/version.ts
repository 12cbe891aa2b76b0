/**
 * A version: the network and everything that turns its logit into an answer, named by digest. Thresholds and
 * temperature are not stored: they follow from the counts, so that a card can be derived from the counts again.
 */
import { canonical } from '@skein/api/canonical';
import { z } from 'zod';
import { createHash } from 'node:crypto';
import { BASELINE, QUESTIONS, type Answers, type Question } from './questions.ts';
import { BINS, EDGES, type SiteCounts } from './counts.ts';
import { COVERAGE, temperatureOf, thresholdOf, type Threshold } from './calibration.ts';

const Count = z.number().min(-1e9).max(1e9);
const Counts = z.strictObject({
  well: z.array(Count).length(BINS),
  ill: z.array(Count).length(BINS),
  noise: z.number().min(0),
});
const Facts = z.record(z.string().max(100), z.union([z.string().max(500), z.number()]));

export const VersionFile = z.strictObject({
  format: z.literal(1),
  name: z.string().regex(/^[a-z][a-z0-9-]{0,40}$/),
  /** sha-256 of `model.onnx`. */
  model: z.string().regex(/^[0-9a-f]{64}$/),
  coverage: z.literal(COVERAGE),
  /** Borders of the bins of the counts, in logits. */
  edges: z.array(z.number()).length(EDGES.length),
  counts: z.record(z.string().regex(/^[a-z][a-z0-9-]{0,40}$/), Counts),
  baseline: z.strictObject(
    Object.fromEntries(QUESTIONS.map((each) => [each, z.number()])) as Record<
      Question,
      z.ZodNumber
    >,
  ),
  /** How it was trained, for readers. */
  training: Facts,
});
export type VersionFile = z.output<typeof VersionFile>;

export interface Version {
  readonly file: VersionFile;
  /** sha-256 of the canonical file. */
  readonly digest: string;
  readonly temperature: number;
  readonly thresholds: Readonly<Record<string, Threshold>>;
}

export function versionOf(file: VersionFile): Version {
  return {
    file,
    digest: createHash('sha256').update(canonical(file)).digest('hex'),
    temperature: temperatureOf(Object.values(file.counts)),
    thresholds: Object.fromEntries(
      Object.entries(file.counts).map(([site, counts]) => [site, thresholdOf(counts)]),
    ),
  };
}

export function draftVersion(
  name: string,
  model: string,
  counts: Readonly<Record<string, SiteCounts>>,
  training: VersionFile['training'],
): Version {
  return versionOf({
    format: 1,
    name,
    model,
    coverage: COVERAGE,
    edges: [...EDGES],
    counts: Object.fromEntries(
      Object.entries(counts).map(([site, { well, ill, noise }]) => [
        site,
        { well: [...well], ill: [...ill], noise },
      ]),
    ),
    baseline: { ...(BASELINE satisfies Answers) },
    training,
  });
}

/** Whether this code computes what the file's numbers mean: its bins and its baseline are the code's own. */
export function isReadable({ edges, baseline }: VersionFile): boolean {
  return canonical(edges) === canonical(EDGES) && canonical(baseline) === canonical(BASELINE);
}
