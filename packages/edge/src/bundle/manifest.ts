/**
 * The manifest of a bundle: a model for devices, and all that a device must check before it runs the model.
 *
 * The targets of the publisher name it by its digest, and it names each file and each chunk by theirs. A device needs
 * no other trust in the place that it downloads from.
 */
import { readJson } from '@skein/api/foreign-json';
import { sha256 } from '@skein/api/canonical';
import { SkeinError } from '@skein/api/errors';
import { z } from 'zod';
import { untrusted } from '../trust/metadata.ts';
import type { TargetFile } from '../trust/metadata.ts';
import type { Bytes, Source } from '../trust/source.ts';

/** Counts up with a form that a reader of the older one would misread. */
export const SCHEMA = 1;
/** Bytes of a chunk on the wire: what a download that breaks off loses. A model of 2.3 MB has nine. */
export const CHUNK_BYTES = 256 * 1024;
/** Earlier versions from which a device can come by a delta. Devices that were away for longer download the file. */
export const MOST_DELTAS = 2;
/** A model above 2 GiB does not fit the memory of a page. */
const MOST_FILE_BYTES = 2 ** 31;

export const BACKENDS = ['native', 'wasm'] as const;
export type Backend = (typeof BACKENDS)[number];

const Digest = z.string().regex(/^[0-9a-f]{64}$/);
const Time = z.iso.datetime();
const Length = z.number().int().min(0).max(MOST_FILE_BYTES);
/** Relative, with no part that leads upwards. */
const Path = z
  .string()
  .max(200)
  .regex(/^[\w-][\w.-]*(\/[\w-][\w.-]*)*$/);
export const BundleName = z.string().regex(/^[a-z0-9][a-z0-9._-]{0,62}$/);

const Chunk = z.strictObject({ sha256: Digest, length: Length });
const Content = z.strictObject({
  length: Length,
  sha256: Digest,
  /** How the chunks, put together, become the file. */
  encoding: z.literal('gzip'),
  chunks: z
    .array(Chunk)
    .min(1)
    .max(MOST_FILE_BYTES / CHUNK_BYTES + 1),
});
const File = Content.extend({
  /** Recipes by which a device makes the file of an earlier one: see `recipe.ts`. */
  deltas: z
    .array(Content.extend({ from: Digest }))
    .max(MOST_DELTAS)
    .optional(),
});
const Tolerance = z.strictObject({
  /** Largest difference, as a share of the largest number of its output. */
  relative: z.number().min(0),
  /** Largest share of rows whose largest number is at another place. */
  decisions: z.number().min(0).max(1),
});
const Cost = z.strictObject({
  /** Median of the runs on the machine of the publisher. Devices differ; the order of variants seldom does. */
  p50Ms: z.number().min(0),
  runs: z.number().int().min(1),
  machine: z.string().max(200),
});
const Tensor = z.strictObject({
  name: z.string(),
  type: z.string(),
  shape: z.array(z.union([z.number().int(), z.string(), z.null()])),
  /** How the values come about, such as `{ "scale": 255, "mean": [0.5], "layout": "NCHW" }`. */
  preprocessing: z.record(z.string(), z.json()).optional(),
});
const Variant = z.strictObject({
  name: z.string().min(1).max(60),
  model: Path,
  golden: Path,
  /** Backends on which the golden vectors passed. */
  backends: z.partialRecord(z.enum(BACKENDS), z.strictObject({ cost: Cost, tolerance: Tolerance })),
});

export const Manifest = z.strictObject({
  schema: z.literal(SCHEMA),
  name: BundleName,
  version: z.number().int().min(1),
  created: Time,
  /** A device installs no version after it. It runs an installed one on. */
  expires: Time,
  variants: z.array(Variant).min(1).max(16),
  inputs: z.array(Tensor),
  outputs: z.array(Tensor),
  files: z.record(Path, File),
  /** Versions of ONNX Runtime: the least that may run the bundle, and the newest that was tried. */
  runtime: z.strictObject({ least: z.string(), tested: z.string() }),
  /** Whether a device may ask the node in its place, and within which time the answer counts. */
  offload: z.strictObject({
    allowed: z.boolean(),
    deadlineMs: z.number().int().min(1).optional(),
  }),
  licence: z.string().min(1).max(200),
  sbom: Path,
  provenance: z.strictObject({
    tool: z.string(),
    source: z.strictObject({ name: z.string(), sha256: Digest, length: Length }),
  }),
  /** Digest of the manifest of the version before. */
  parent: Digest.nullable(),
});

export type Manifest = z.output<typeof Manifest>;
export type Variant = Manifest['variants'][number];
export type BundleFile = z.output<typeof Content>;
export type Delta = NonNullable<Manifest['files'][string]['deltas']>[number];
export type Tolerance = z.output<typeof Tolerance>;

export const MOST_MANIFEST_BYTES = 4 * 2 ** 20;

/** @throws SkeinError EDGE_BUNDLE_INVALID. */
export function parseManifest(bytes: Bytes): Manifest {
  let value: unknown;
  try {
    value = readJson(bytes, {
      bytes: MOST_MANIFEST_BYTES,
      depth: 16,
      values: 100_000,
      members: 1000,
    });
  } catch (error) {
    throw invalid(`The manifest cannot be read: ${(error as Error).message}`, error);
  }
  const schema = (value as { schema?: unknown } | null)?.schema;
  if (typeof schema === 'number' && schema > SCHEMA) {
    throw invalid(`The manifest has the schema ${schema}; this device reads up to ${SCHEMA}.`);
  }
  const parsed = Manifest.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    throw invalid(
      `The manifest is invalid at ${issue.path.join('.') || 'its top'}: ${issue.message}.`,
    );
  }
  const manifest = parsed.data;
  const named = [
    manifest.sbom,
    ...manifest.variants.flatMap(({ model, golden }) => [model, golden]),
  ];
  const missing = named.find((path) => !Object.hasOwn(manifest.files, path));
  if (missing !== undefined) throw invalid(`The manifest has no file ${missing}.`);
  return manifest;
}

export interface FoundManifest {
  readonly manifest: Manifest;
  readonly bytes: Bytes;
  readonly digest: string;
}

/** Where the publisher puts a manifest: the name has its digest, so that no version is ever replaced. */
export function manifestPath(name: string, digest: string): string {
  return `targets/${digest}.${name}.json`;
}

/** @param targets of `refresh`. @throws SkeinError EDGE_BUNDLE_UNKNOWN, EDGE_UNTRUSTED, EDGE_BUNDLE_INVALID. */
export async function readManifest(
  source: Source,
  targets: ReadonlyMap<string, TargetFile>,
  name: string,
): Promise<FoundManifest> {
  const target = targets.get(`${name}.json`);
  if (target === undefined) {
    const known = [...targets.keys()].map((each) => each.replace(/\.json$/, '')).join(', ');
    throw new SkeinError(
      'EDGE_BUNDLE_UNKNOWN',
      `${source.place} has no bundle "${name}"${known === '' ? '' : `; it has ${known}`}.`,
    );
  }
  const digest = target.hashes.sha256;
  const path = manifestPath(name, digest);
  const bytes = await source.read(path, Math.min(target.length, MOST_MANIFEST_BYTES));
  if (bytes === undefined) throw untrusted(`${source.place} has no ${path}.`);
  if (bytes.byteLength !== target.length || (await sha256(bytes)) !== digest) {
    throw untrusted(`${path} is not the manifest that was signed.`);
  }
  const manifest = parseManifest(bytes);
  if (manifest.name !== name) throw invalid(`The manifest of "${name}" names "${manifest.name}".`);
  return { manifest, bytes, digest };
}

/** Medians of one model differ by as much between two measurements. */
export const SAME_SPEED = 1.05;

/**
 * The variant with the least median on a backend; of those about as fast the smallest model.
 * @throws SkeinError EDGE_BUNDLE_INVALID if none has passed its golden vectors there.
 */
export function variantFor(manifest: Manifest, backend: Backend): Variant {
  const { name, version, variants, files } = manifest;
  const costOf = (variant: Variant): number => variant.backends[backend]?.cost.p50Ms ?? Infinity;
  const least = Math.min(...variants.map(costOf));
  const [best] = variants
    .filter((variant) => costOf(variant) <= SAME_SPEED * least)
    .toSorted((a, b) => files[a.model]!.length - files[b.model]!.length || costOf(a) - costOf(b));
  if (best === undefined || least === Infinity) {
    throw invalid(`No variant of ${name} version ${version} runs on ${backend}.`);
  }
  return best;
}

/** Whether a version such as 1.30.0 is not below another. */
export function isRuntimeAtLeast(version: string, least: string): boolean {
  const [own, other] = [version, least].map((text) => text.split('.').map(Number));
  for (const [i, part] of other!.entries()) {
    if ((own![i] ?? 0) !== part) return (own![i] ?? 0) > part;
  }
  return true;
}

export function invalid(message: string, cause?: unknown): SkeinError {
  return new SkeinError('EDGE_BUNDLE_INVALID', message, { cause });
}
