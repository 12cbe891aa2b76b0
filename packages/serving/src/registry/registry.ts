/**
 * From bytes to versions: store, inspect, record. A rejected file leaves nothing behind. A crash
 * between two steps leaves an artifact without a version, which `removeOrphans` removes.
 */
import { resolve } from 'node:path';
import { Name, SkeinError } from '@skein/api';
import type { Signature } from '@skein/onnx';
import type { ArtifactStore, State, VersionRecord } from '@skein/state';
import type { Registry } from './contract.ts';
import { inspectFile } from './inspector.ts';
import { digestOfModules, importsOf } from './module-files.ts';
import { createSweeper } from './sweeper.ts';

export interface CompositionDescription {
  readonly signature: Signature;
  /** Names of the deployments that it calls. */
  readonly calls: readonly string[];
  /** Absolute paths of the module and the local files that it imports. */
  readonly files: readonly string[];
}

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
  readonly describeComposition: (modulePath: string) => Promise<CompositionDescription>;
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

  return {
    async importModel(model, content, metadata) {
      checkName(model);
      return sweeper.protect(async () => {
        const { digest, sizeBytes } = await artifacts.put(content, limits.maxModelBytes);
        try {
          const existing = (await state.versions(model)).find(
            (each) => each.digest === digest && each.kind === 'onnx',
          );
          if (existing) return existing;
          const found = await inspectFile(await artifacts.pathOf(digest), sizeBytes);
          return await state.addVersion({
            model,
            kind: 'onnx',
            digest,
            sizeBytes,
            signature: found.signature,
            metadata: { ...found.metadata, ...metadata },
          });
        } catch (error) {
          await sweeper.sweep([digest]);
          throw error;
        }
      });
    },

    async importComposition(model, modulePath, metadata) {
      checkName(model);
      const path = resolve(modulePath);
      // Before starting a thread for it, check that the file can be read.
      await digestOfModules(path, []);
      const { signature, calls, files } = await describeComposition(path);
      const imports = importsOf(path, files);
      // The field decides the isolation of the version; only the upload may set it, not the file.
      const { imports: _, ...others } = metadata;
      const { digest, sizeBytes } = await digestOfModules(path, imports);
      return state.addVersion({
        model,
        kind: 'composition',
        digest,
        sizeBytes,
        signature,
        metadata: {
          ...(calls.length === 0 ? {} : { calls: calls.join(', ') }),
          ...others,
          ...(imports.length === 0 ? {} : { imports: JSON.stringify(imports) }),
        },
        modulePath: path,
      });
    },

    version: known,
    versions: (model) => state.versions(model),

    async pathOf(version) {
      if (version.modulePath === undefined) return artifacts.pathOf(version.digest);
      const imports = recordedImports(version);
      const { digest } = await digestOfModules(version.modulePath, imports);
      if (digest === version.digest) return version.modulePath;
      const what = [version.modulePath, ...imports].join(' or ');
      throw new SkeinError(
        'COMPOSITION_INVALID',
        `${what} has changed since it became version ${version.version} of "${version.model}". Deploy it again as a new version.`,
      );
    },

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

/** As stored with the version. */
function recordedImports({ metadata }: VersionRecord): readonly string[] {
  const { imports } = metadata;
  return imports === undefined ? [] : (JSON.parse(imports) as string[]);
}
