import { SkeinError, type ModelView, type VersionView } from '@skein/api';
import type { VersionRecord } from '@skein/state';
import type { ManagementOptions, NodeHandlers } from '../options.ts';

export function modelHandlers({
  registry,
  control,
}: Pick<ManagementOptions, 'registry' | 'control'>) {
  return {
    async listModels() {
      const byModel = Map.groupBy(await registry.versions(), ({ model }) => model);
      const deployed = new Set(
        control.views().flatMap(({ name, status }) => (status === 'unloaded' ? [] : [name])),
      );
      const models = [...byModel].flatMap(([name, records]): ModelView[] => {
        const latest = records.sort(byAge).at(-1);
        if (latest === undefined) return [];
        return [
          {
            name,
            versions: records.map(({ version }) => version),
            latest: viewOf(latest),
            deployed: deployed.has(name),
          },
        ];
      });
      return { models };
    },
    async listVersions({ params: { name } }) {
      const records = await registry.versions(name);
      if (records.length === 0) {
        throw new SkeinError('MODEL_UNKNOWN', `No model is called "${name}".`);
      }
      return { versions: records.sort(byAge).map(viewOf) };
    },
    getVersion: async ({ params: { name, version } }) =>
      viewOf(await registry.version(name, version)),
    async removeVersion({ params: { name, version } }) {
      await registry.removeVersion(name, version);
      return undefined;
    },
    importModel: async ({ params: { name }, query: { metadata, trust }, content }) => {
      // The metadata of the upload must not set `trust`; a trusted version has no such field.
      const { trust: _, ...others } = metadata;
      const kept = trust === 'untrusted' ? { ...others, trust } : others;
      return viewOf(await registry.importModel(name, content, kept));
    },
    importComposition: async ({ params: { name }, body: { modulePath, metadata } }) =>
      viewOf(await registry.importComposition(name, modulePath, metadata)),
  } satisfies Partial<NodeHandlers>;
}

function byAge(a: VersionRecord, b: VersionRecord): number {
  return Number(a.version) - Number(b.version);
}

function viewOf(record: VersionRecord): VersionView {
  const { signature, ...rest } = record;
  return {
    ...rest,
    signature: {
      inputs: signature.inputs.map(({ name, type, shape }) => ({ name, type, shape: [...shape] })),
      outputs: signature.outputs.map(({ name, type, shape }) => ({
        name,
        type,
        shape: [...shape],
      })),
    },
  };
}
