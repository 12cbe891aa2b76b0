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
import { inspectFile } from './inspector.ts';
import { bundleComposition, MAX_MODULE_BYTES } from '../composition/bundle-composition.ts';
import { pathOfModule } from './module-files.ts';

export interface CompositionDescription {
  readonly signature: Signature;
  /** Names of the deployments that it calls. */
  readonly calls: readonly string[];
}

type Inspected = Pick<VersionRecord, 'signature' | 'metadata'>;

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

  /** Stores, inspects and records; what is refused leaves nothing behind. */
  async function importVersion(
    model: string,
    kind: VersionRecord['kind'],
    put: () => ReturnType<ArtifactStore['put']>,
    inspect: (path: string, sizeBytes: number) => Promise<Inspected>,
  ): Promise<VersionRecord> {
    return sweeper.protect(async () => {
      const { digest, sizeBytes } = await put();
      try {
        const existing = (await state.versions(model)).find(
          (each) => each.digest === digest && each.kind === kind && each.modulePath === undefined,
        );
        if (existing) return existing;
        const inspected = await inspect(await artifacts.pathOf(digest), sizeBytes);
        return await state.addVersion({ model, kind, digest, sizeBytes, ...inspected });
      } catch (error) {
        await sweeper.sweep([digest]);
        throw error;
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
          return { signature: found.signature, metadata: { ...found.metadata, ...metadata } };
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

    pathOf: (version) =>
      version.modulePath === undefined
        ? artifacts.pathOf(version.digest)
        : pathOfModule(version, version.modulePath),

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
