/**
 * Data sets. A version names artifacts that its tenant holds, so that no caller learns of or keeps the
 * files of another one. The node writes the manifest itself: its digest is the same for equal contents.
 */
import { DataManifest, type DataUses, type DataVersion } from '@skein/api';
import { canonical, utf8 } from '@skein/api/canonical';
import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';
import type { Caller } from '../../../access/contract.ts';
import { seesAll, visibleJob } from '../job-names.ts';
import type { ManagementOptions, NodeHandlers } from '../options.ts';

/** A manifest of as many files as a version may have. */
const MAX_MANIFEST_BYTES = 64 * 2 ** 20;
/** Artifacts that are looked up at once. */
const AT_ONCE = 64;
const PAGE = 1000;

export function dataSetHandlers({
  artifacts,
  holdings,
  dataSets,
  jobs,
  runs,
}: Pick<ManagementOptions, 'artifacts' | 'holdings' | 'dataSets' | 'jobs' | 'runs'>) {
  /** @throws SkeinError ARTIFACT_UNKNOWN, also for an artifact that only another tenant holds. */
  async function requireStored(caller: Caller, { files }: DataManifest): Promise<void> {
    const digests = new Set<string>();
    for (const { path, digest } of files) if (path === undefined) digests.add(digest);
    const wanted = [...digests];
    if (!seesAll(caller)) await holdings.requireHeld(caller.tenant, wanted);
    for (let at = 0; at < wanted.length; at += AT_ONCE) {
      await Promise.all(wanted.slice(at, at + AT_ONCE).map((each) => artifacts.sizeOf(each)));
    }
  }

  async function usesOf(tenant: string, of: DataVersion): Promise<DataUses> {
    const isIt = (each: { name: string; version: string; manifest: string }): boolean =>
      each.manifest === of.manifest && each.name === of.name && each.version === of.version;
    const made = (await dataSets.list(tenant)).filter(({ from }) => from.versions?.some(isIt));
    const versions = made.map(({ name, version, manifest }) => ({ name, version, manifest }));
    const trained: DataUses['runs'] = [];
    for (let after: string | undefined; ;) {
      const page = await runs.list({ limit: PAGE, after });
      for (const { id, status, lineage, versions: models } of page.runs) {
        if (!lineage.data.some(({ version }) => version !== undefined && isIt(version))) continue;
        const became = models.map(({ model, version }) => ({ model, version }));
        trained.push({ id, status, models: became });
      }
      if (page.next === undefined) return { versions, runs: trained };
      after = page.next;
    }
  }

  async function contentsOf({ manifest }: DataVersion): Promise<DataManifest> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of artifacts.read(manifest)) chunks.push(Uint8Array.from(chunk));
    const text = Buffer.concat(chunks).toString();
    return DataManifest.parse(readJson(text, JSON_BOUNDS.stored));
  }

  return {
    listData: async ({ caller, query }) => ({
      versions: await dataSets.list(caller.tenant, query.name),
    }),
    async addDataVersion({ caller, params: { name }, body: { contents, note, from } }) {
      await requireStored(caller, contents);
      if (from.job !== undefined) await visibleJob(jobs, caller, from.job);
      for (const { name: of, version } of from.versions ?? []) {
        await dataSets.get(caller.tenant, of, version);
      }
      const bytes = utf8(canonical(contents));
      const { digest } = await holdings.of(caller.tenant).put(oneChunk(bytes), MAX_MANIFEST_BYTES);
      const { format, rows, files } = contents;
      return dataSets.add(caller.tenant, {
        name,
        manifest: digest,
        format,
        rows,
        files: files.length,
        sizeBytes: files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
        inPlace: files.some(({ path }) => path !== undefined),
        by: caller.actor,
        note,
        from,
      });
    },
    async getDataVersion({ caller, params: { name, version } }) {
      const found = await dataSets.get(caller.tenant, name, version);
      const [contents, uses] = await Promise.all([contentsOf(found), usesOf(caller.tenant, found)]);
      return { ...found, contents, uses };
    },
    async removeDataVersion({ caller, params: { name, version } }) {
      await dataSets.remove(caller.tenant, name, version);
      return undefined;
    },
  } satisfies Partial<NodeHandlers>;
}

async function* oneChunk(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
