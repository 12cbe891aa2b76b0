/**
 * Packs a model for devices: measures each variant on each backend, records its golden vectors, writes files as chunks,
 * and signs the manifest. A variant that is slower than the first one on every backend is left out.
 */
import { sha256, utf8 } from '@skein/api/canonical';
import { readModel, signatureOf, type Signature } from '@skein/onnx';
import type { Runtime, Session } from '@skein/runtime/contract';
import { publish, publishedTargets, type Place } from '../trust/publish.ts';
import type { RoleKeys } from '../trust/sign.ts';
import type { Bytes } from '../trust/source.ts';
import { lastVersions, makeDeltas } from './deltas.ts';
import { wireBytes, writeFile } from './files.ts';
import {
  goldenFault,
  goldenFile,
  measureGolden,
  recordGolden,
  seededInputs,
  type GoldenInputs,
  type GoldenVectors,
} from './golden.ts';
import {
  BundleName,
  invalid,
  manifestPath,
  parseManifest,
  readManifest,
  SAME_SPEED,
  SCHEMA,
  type Backend,
  type BundleFile,
  type Manifest,
  type Tolerance,
  type Variant,
} from './manifest.ts';

/** A version may be installed for as long. */
const EXPIRES_DAYS = 365;
const DAY_MS = 86_400_000;
/** Runs of a measurement: the median of fewer moves by a tenth between two calls. */
const MEASURED_RUNS = 15;
const SEEDS = [1, 2];
/** Difference that other kernels for the same model may have. A wrong weight gives more than 0.1. */
const BASE_RELATIVE = 1e-3;
/** Factor on what the backends of this machine differ by: processors of devices differ more. */
const MARGIN = 4;
/** A backend that takes more decisions otherwise than the publisher's machine does not run the variant. */
const MOST_DECISIONS = 0.05;

export interface PackOptions {
  readonly keys: RoleKeys;
  readonly name: string;
  /** The first one is the reference. */
  readonly variants: readonly { readonly name: string; readonly model: Bytes }[];
  readonly source: { readonly name: string; readonly model: Bytes };
  readonly runtimes: Readonly<Partial<Record<Backend, Runtime>>>;
  /** Version of ONNX Runtime that these are. */
  readonly runtimeVersion: string;
  readonly machine: string;
  /** Inputs of the golden vectors; default: seeded ones. */
  readonly inputs?: readonly GoldenInputs[] | undefined;
  /** By input. */
  readonly preprocessing?: Readonly<Record<string, Record<string, unknown>>> | undefined;
  readonly offload: Manifest['offload'];
  readonly licence: string;
  /** The program that packs, with its version: `skein 0.1.0`. */
  readonly tool: string;
  readonly now: number;
}

export interface Packed {
  readonly manifest: Manifest;
  readonly digest: string;
  /** Bytes that a device downloads for each variant. */
  readonly wireBytes: Readonly<Record<string, number>>;
  /** Bytes that a device downloads in their place if it has one of the last versions. */
  readonly updates: readonly {
    readonly variant: string;
    readonly from: number;
    readonly wireBytes: number;
  }[];
  /** Variants, backends and deltas that were left out, with the reason. */
  readonly leftOut: readonly string[];
}

/** @throws SkeinError EDGE_BUNDLE_INVALID, EDGE_KEYS, EDGE_UNTRUSTED; RuntimeFailure. */
export async function packBundle(place: Place, options: PackOptions): Promise<Packed> {
  const { keys, name, variants, runtimes, now } = options;
  if (!BundleName.safeParse(name).success) {
    throw invalid(`"${name}" is not a name: use a-z, 0-9, dot, dash and underscore.`);
  }
  const targets = (await publishedTargets(place))?.targets ?? {};
  const before = Object.hasOwn(targets, `${name}.json`)
    ? await readManifest(place, new Map(Object.entries(targets)), name)
    : undefined;
  const signature = signatureOf(readModel(variants[0]!.model));
  const inputs = options.inputs ?? SEEDS.map((seed) => seededInputs(signature, seed));

  const leftOut: string[] = [];
  const contents = new Map<string, Bytes>();
  const listed: Variant[] = [];
  for (const variant of variants) {
    const tried = await tryVariant(variant, inputs, options);
    leftOut.push(...tried.leftOut);
    const reason = reasonAgainst(tried.backends, listed[0]);
    if (reason !== undefined) {
      leftOut.push(`${variant.name}: ${reason}`);
      continue;
    }
    const [model, golden] = [`${variant.name}/model.onnx`, `${variant.name}/golden.json`];
    contents.set(model, variant.model);
    contents.set(golden, goldenFile(tried.golden));
    listed.push({ name: variant.name, model, golden, backends: tried.backends });
  }
  if (Object.keys(listed[0]?.backends ?? {}).length < Object.keys(runtimes).length) {
    throw invalid(`The model cannot be packed: ${leftOut.join('; ')}.`);
  }
  contents.set('sbom.json', utf8(JSON.stringify(await bomOf(options, contents))));

  const files: Manifest['files'] = {};
  for (const [path, content] of contents) files[path] = await writeFile(place, content);
  const earlier = before === undefined ? [] : await lastVersions(place, before);
  const updates: Packed['updates'][number][] = [];
  for (const { name: variant, model, golden } of listed) {
    const made = await makeDeltas(place, earlier, {
      variant,
      content: contents.get(model)!,
      file: files[model]!,
    });
    leftOut.push(...made.leftOut);
    const deltas = [...new Set(made.deltas.values())].filter((each) => each !== undefined);
    if (deltas.length > 0) files[model] = { ...files[model]!, deltas };
    for (const [from, delta] of made.deltas) {
      updates.push({
        variant,
        from,
        wireBytes: wireBytes([...(delta ? [delta] : []), files[golden]!]),
      });
    }
  }
  const { offload, licence, tool, source, runtimeVersion } = options;
  const manifest: Manifest = {
    schema: SCHEMA,
    name,
    version: (before?.manifest.version ?? 0) + 1,
    created: new Date(now).toISOString(),
    expires: new Date(now + EXPIRES_DAYS * DAY_MS).toISOString(),
    variants: listed,
    ...contractOf(signature, options.preprocessing),
    files,
    runtime: { least: runtimeVersion, tested: runtimeVersion },
    offload,
    licence,
    sbom: 'sbom.json',
    provenance: {
      tool,
      source: {
        name: source.name,
        sha256: await sha256(source.model),
        length: source.model.byteLength,
      },
    },
    parent: before?.digest ?? null,
  };
  const bytes = utf8(JSON.stringify(manifest));
  parseManifest(bytes);
  const digest = await sha256(bytes);
  await place.write(manifestPath(name, digest), bytes);
  const target = { length: bytes.byteLength, hashes: { sha256: digest } };
  await publish(place, { keys, targets: { ...targets, [`${name}.json`]: target }, now });
  const sizes = listed.map(
    (variant) => [variant.name, wireBytes(filesOf(manifest, variant))] as const,
  );
  return { manifest, digest, wireBytes: Object.fromEntries(sizes), updates, leftOut };
}

/** The files that a device needs for one variant. */
export function filesOf({ files }: Manifest, { model, golden }: Variant): readonly BundleFile[] {
  return [files[model]!, files[golden]!];
}

interface Tried {
  readonly golden: GoldenVectors;
  readonly backends: Variant['backends'];
  readonly leftOut: readonly string[];
}

/** Records the golden vectors on the first backend, and compares and measures on each. */
async function tryVariant(
  { name, model }: PackOptions['variants'][number],
  inputs: readonly GoldenInputs[],
  { runtimes, machine }: PackOptions,
): Promise<Tried> {
  const leftOut: string[] = [];
  const backends: Variant['backends'] = {};
  let golden: GoldenVectors | undefined;
  const measured: [Backend, number, Tolerance][] = [];
  for (const [backend, runtime] of Object.entries(runtimes) as [Backend, Runtime][]) {
    const session = await runtime.open(
      { bytes: model.slice() },
      { device: 'cpu', threads: 1, isolation: 'thread' },
    );
    try {
      golden ??= await recordGolden(session, inputs);
      const found = await measureGolden(session, golden);
      measured.push([backend, await medianMs(session, golden), found]);
    } finally {
      await session.close();
    }
  }
  const worst = Math.max(BASE_RELATIVE, ...measured.map(([, , { relative }]) => MARGIN * relative));
  const decisions = Math.max(...measured.map((each) => each[2].decisions));
  const tolerance = { relative: worst, decisions: Math.min(MARGIN * decisions, MOST_DECISIONS) };
  for (const [backend, p50Ms, found] of measured) {
    const fault = Number.isFinite(found.relative)
      ? goldenFault(found, tolerance)
      : 'it gives no numbers of the same shape';
    if (fault === undefined) {
      backends[backend] = { cost: { p50Ms, runs: MEASURED_RUNS, machine }, tolerance };
    } else leftOut.push(`${name} on ${backend}: ${fault}`);
  }
  return { golden: golden ?? [], backends, leftOut };
}

/** A further variant must be at least about as fast as the reference on some backend. */
function reasonAgainst(
  backends: Variant['backends'],
  reference: Variant | undefined,
): string | undefined {
  if (reference === undefined) return undefined;
  const entries = Object.entries(backends) as [Backend, { cost: { p50Ms: number } }][];
  const isFaster = entries.some(
    ([backend, { cost }]) =>
      cost.p50Ms <= SAME_SPEED * (reference.backends[backend]?.cost.p50Ms ?? Infinity),
  );
  return isFaster ? undefined : `it is slower than ${reference.name} on every backend`;
}

async function medianMs(session: Session, golden: GoldenVectors): Promise<number> {
  const one = golden.slice(0, 1);
  const times: number[] = [];
  for (let run = 0; run < MEASURED_RUNS; run++) {
    const from = performance.now();
    await measureGolden(session, one);
    times.push(performance.now() - from);
  }
  return Number(times.toSorted((a, b) => a - b)[Math.floor(MEASURED_RUNS / 2)]!.toPrecision(4));
}

function contractOf(
  signature: Signature,
  preprocessing: PackOptions['preprocessing'] = {},
): Pick<Manifest, 'inputs' | 'outputs'> {
  const unknown = Object.keys(preprocessing).find(
    (each) => !signature.inputs.some(({ name }) => name === each),
  );
  if (unknown !== undefined) throw invalid(`The model has no input "${unknown}" to preprocess.`);
  const specOf = ({ name, type, shape }: Signature['inputs'][number]) => ({
    name,
    type,
    shape: [...shape],
  });
  return {
    inputs: signature.inputs.map((spec) => {
      const { [spec.name]: steps } = preprocessing;
      return {
        ...specOf(spec),
        ...(steps && { preprocessing: steps as Manifest['inputs'][number]['preprocessing'] }),
      };
    }),
    outputs: signature.outputs.map(specOf),
  };
}

/** CycloneDX 1.6: the models, and the library that runs them. */
async function bomOf(
  { name, variants, licence, runtimeVersion }: PackOptions,
  contents: ReadonlyMap<string, Bytes>,
): Promise<unknown> {
  const models = [];
  for (const variant of variants) {
    if (!contents.has(`${variant.name}/model.onnx`)) continue;
    const hashes = [{ alg: 'SHA-256', content: await sha256(variant.model) }];
    models.push({
      type: 'machine-learning-model',
      'bom-ref': `${name}/${variant.name}`,
      name: `${name}/${variant.name}`,
      hashes,
      licenses: [{ license: { name: licence } }],
    });
  }
  const runtime = {
    type: 'library',
    'bom-ref': 'onnxruntime',
    name: 'onnxruntime',
    version: runtimeVersion,
    licenses: [{ license: { id: 'MIT' } }],
  };
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    components: [...models, runtime],
  };
}
