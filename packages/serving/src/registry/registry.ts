/**
 * From bytes to versions: store, inspect, record. A rejected file leaves nothing behind. A crash
 * between two steps leaves an artifact without a version, which `removeOrphans` removes.
 */
import { resolve } from 'node:path';
import { Readable } from 'node:stream';
import { Name, SkeinError } from '@skein/api';
import type { Signature } from '@skein/onnx';
import { createSweeper, type ArtifactStore, type State, type VersionRecord } from '@skein/state';
import type { Registry } from './contract.ts';
import type { Inspection } from './inspection.ts';
import { inspectFile } from './inspector.ts';
import { bundleComposition, MAX_MODULE_BYTES } from '../composition/bundle-composition.ts';

export interface CompositionDescription {
  readonly signature: Signature;
  /** Names of the deployments that it calls. */
  readonly calls: readonly string[];
}

type Inspected = Pick<VersionRecord, 'signature' | 'metadata'> & Pick<Inspection, 'rewritten'>;

/** Metadata: the sha-256 of the uploaded file, where the version serves a rewritten one. */
const UPLOADED = 'uploadedDigest';

export interface RegistryOptions {
  readonly state: Pick<
    State,
    'addVersion' | 'versions' | 'version' | 'removeVersion' | 'deployment' | 'deployments'
  >;
  readonly artifacts: ArtifactStore;
  readonly limits: {
    /** Largest model file, in bytes. */
    readonly maxModelBytes: number;
  };
  /** Imports the module outside of this thread and reads its exports. @throws SkeinError COMPOSITION_INVALID. */
  readonly describeComposition: (path: string) => Promise<CompositionDescription>;
}

export function createRegistry(options: RegistryOptions): Registry & {
  /** Removes artifacts that no version refers to, as a crash during an import leaves them. */
  removeOrphans(): Promise<void>;
} {
  const { state, artifacts, limits, describeComposition } = options;
  const sweeper = createSweeper(artifacts, async () => {
    const versions = await state.versions();
    return new Set(versions.map((version) => version.digest));
  });

  async function known(model: string, version: string): Promise<VersionRecord> {
    const record = await state.version(model, version);
    if (record) return record;
    const others = (await state.versions(model)).map((each) => each.version);
    if (others.length === 0) {
      throw new SkeinError('MODEL_UNKNOWN', `There is no model "${model}".`);
    }
    throw new SkeinError(
      'VERSION_UNKNOWN',
      `Model "${model}" has no version "${version}"; it has ${others.slice(-10).join(', ')}.`,
    );
  }

  /** The version that was made of a file, or serves it. */
  async function versionOf(
    model: string,
    kind: VersionRecord['kind'],
    digest: string,
  ): Promise<VersionRecord | undefined> {
    const versions = await state.versions(model);
    return versions.find(
      (each) =>
        (each.digest === digest || each.metadata[UPLOADED] === digest) && each.kind === kind,
    );
  }

  /**
   * Stores, inspects and records; what is refused leaves nothing behind. Where the file is rewritten,
   * the version is what is served, with the digest of the file in its metadata.
   */
  async function importVersion(
    model: string,
    kind: VersionRecord['kind'],
    put: () => ReturnType<ArtifactStore['put']>,
    inspect: (path: string, sizeBytes: number) => Promise<Inspected>,
  ): Promise<VersionRecord> {
    return sweeper.protect(async () => {
      const uploaded = await put();
      const stored = [uploaded.digest];
      try {
        const existing = await versionOf(model, kind, uploaded.digest);
        if (existing) return existing;
        const path = await artifacts.pathOf(uploaded.digest);
        const { rewritten, signature, metadata } = await inspect(path, uploaded.sizeBytes);
        const found = { model, kind, signature };
        if (rewritten === undefined) {
          return await state.addVersion({ ...found, ...uploaded, metadata });
        }
        const served = await artifacts.put(Readable.from([rewritten]), rewritten.byteLength);
        stored.push(served.digest);
        return (
          (await versionOf(model, kind, served.digest)) ??
          (await state.addVersion({
            ...found,
            ...served,
            metadata: { ...metadata, [UPLOADED]: uploaded.digest },
          }))
        );
      } finally {
        // Keeps what the version serves.
        await sweeper.sweep(stored);
      }
    });
  }

  return {
    async importModel(model, content, metadata) {
      checkName(model);
      return importVersion(
        model,
        'onnx',
        () => artifacts.put(content, limits.maxModelBytes),
        async (path, sizeBytes) => {
          const found = await inspectFile(path, sizeBytes);
          const all = { ...found.metadata, ...metadata };
          // An upload must not claim the digest of another file.
          delete all[UPLOADED];
          return { ...found, metadata: all };
        },
      );
    },

    async importComposition(model, modulePath, metadata) {
      checkName(model);
      const { code, nativePackages } = await bundleComposition(resolve(modulePath));
      return importVersion(
        model,
        'composition',
        () => artifacts.put(Readable.from([code]), MAX_MODULE_BYTES),
        async (path) => {
          const { signature, calls } = await describeComposition(path);
          return {
            signature,
            metadata: {
              ...metadata,
              ...(calls.length === 0 ? {} : { calls: calls.join(', ') }),
              ...(nativePackages.length === 0 ? {} : { packages: nativePackages.join(', ') }),
            },
          };
        },
      );
    },

    version: known,
    versions: (model) => state.versions(model),

    pathOf: (version) => artifacts.pathOf(version.digest),

    async removeVersion(model, version) {
      const record = await known(model, version);
      const deployment = await state.deployment(model);
      if (deployment?.targets.some((target) => target.version === version)) {
        throw new SkeinError(
          'VERSION_IN_USE',
          `Version ${version} of "${model}" takes traffic in deployment "${model}".`,
        );
      }
      await state.removeVersion(model, version);
      await sweeper.sweep([record.digest]);
    },

    async removeOrphans() {
      await sweeper.sweep(await artifacts.list());
    },
  };
}

function checkName(model: string): void {
  const { success, error } = Name.safeParse(model);
  if (!success) {
    throw new SkeinError('REQUEST_INVALID', `The name "${model}" ${error.issues[0]?.message}.`);
  }
}
