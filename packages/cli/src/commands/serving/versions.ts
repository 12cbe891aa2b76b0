/** `skein versions`: the stored versions of models, whether they are deployed or not. */
import type { VersionView } from '@skein/api';
import { formatAge, formatBytes, formatShare } from '@skein/api/units';
import { argument, integer, manyArguments, optionalArgument } from '../../command-line/option.ts';
import { usageError } from '../../command-line/usage.ts';
import type { Connection } from '../../connection/connection.ts';
import { nodeCommand } from '../../connection/node-command.ts';
import { renderTable } from '../../output/table.ts';

type Client = Connection['client'];

interface StoredVersion extends Pick<
  VersionView,
  'model' | 'version' | 'kind' | 'digest' | 'sizeBytes' | 'createdAt'
> {
  /** Share of the traffic of the deployment that names it; absent: no deployment does. */
  readonly traffic?: number;
}

export interface VersionsListed {
  readonly versions: readonly StoredVersion[];
}

/** Versions of one model or of all, by name and then newest first. */
async function storedVersions(client: Client, only?: string): Promise<readonly StoredVersion[]> {
  const names =
    only === undefined ? (await client.listModels()).models.map(({ name }) => name) : [only];
  const { deployments } = await client.listDeployments();
  const targets = new Map(deployments.map((each) => [each.name, each.targets]));
  const found = names.toSorted().map(async (name) => {
    const served = targets.get(name) ?? [];
    const total = served.reduce((sum, { weight }) => sum + weight, 0);
    const { versions } = await client.listVersions({ name });
    return versions.toReversed().map((view): StoredVersion => {
      const { model, version, kind, digest, sizeBytes, createdAt } = view;
      const target = served.find((each) => each.version === version);
      const stored = { model, version, kind, digest, sizeBytes, createdAt };
      if (target === undefined) return stored;
      return { ...stored, traffic: total === 0 ? 0 : target.weight / total };
    });
  });
  return (await Promise.all(found)).flat();
}

/** Bytes of their files; each file is stored once. */
function bytesOf(versions: readonly StoredVersion[]): number {
  const files = new Map(versions.map(({ digest, sizeBytes }) => [digest, sizeBytes]));
  return [...files.values()].reduce((sum, bytes) => sum + bytes, 0);
}

export const versionsLs = nodeCommand({
  name: 'versions ls',
  summary: 'List the stored versions of models, newest first, with their sizes.',
  details: 'Language models have no versions; skein model ls lists their routes.',
  examples: {
    'skein versions ls': 'What the node stores',
    'skein versions ls risk': 'Of one model',
  },
  arguments: {
    name: optionalArgument('NAME', 'The model; default: all.', { completes: 'deployment' }),
  },
  async run({ client }, { name }): Promise<VersionsListed> {
    return { versions: await storedVersions(client, name) };
  },
  render({ versions }, style) {
    if (versions.length === 0) return 'No versions are stored.';
    const now = Date.now();
    const table = renderTable(style, versions, [
      ['MODEL', ({ model }) => style.bold(model)],
      ['VERSION', ({ version }) => `v${version}`, 'right'],
      ['SIZE', ({ sizeBytes }) => formatBytes(sizeBytes), 'right'],
      ['STORED', ({ createdAt }) => formatAge(createdAt, now)],
      ['TRAFFIC', ({ traffic }) => (traffic === undefined ? '' : formatShare(traffic))],
    ]);
    const free = versions.filter(({ traffic }) => traffic === undefined);
    const held = `Their files take ${formatBytes(bytesOf(versions))}`;
    return `${table}\n\n${held}${free.length === 0 ? '.' : `; ${free.length} of ${versions.length} versions take no traffic.`}`;
  },
});

export const versionsRm = nodeCommand({
  name: 'versions rm',
  summary: 'Remove stored versions of a model that take no traffic, and their files.',
  details:
    'A deployment can no longer be rolled back to a version that is removed. Versions that take traffic are refused; with --keep they stay. In a fleet the files stay in the bucket or shared folder, because other nodes may need them.',
  examples: {
    'skein versions rm risk 1 2': 'These two',
    'skein versions rm risk --keep 5': 'All but the newest five',
  },
  arguments: {
    name: argument('NAME', 'The model.', { completes: 'deployment' }),
    versions: manyArguments('VERSION', 'Version numbers, as `skein versions ls` shows them.', {
      completes: 'nothing',
    }),
  },
  options: {
    keep: integer(
      'N',
      'Keep the newest N and the versions that take traffic, instead of giving numbers.',
      [0, 1_000_000],
    ),
  },
  async run({ client }, { name, versions, keep }) {
    if ((keep === undefined) === (versions.length === 0)) {
      throw usageError('Give either the numbers of versions or --keep N.');
    }
    const stored = await storedVersions(client, name);
    const unused = stored.slice(keep).filter(({ traffic }) => traffic === undefined);
    const wanted =
      keep === undefined
        ? [...new Set(versions.map(numberOf))]
        : unused.map(({ version }) => version);
    for (const version of wanted) await client.removeVersion({ name, version });
    const left = bytesOf(await storedVersions(client));
    return { model: name, removed: wanted, leftBytes: left };
  },
  render: ({ model, removed, leftBytes }) =>
    removed.length === 0
      ? `${model} has no other versions without traffic.`
      : `${removed.map((version) => `v${version}`).join(', ')} of ${model} ${removed.length === 1 ? 'is' : 'are'} removed. The files of all versions take ${formatBytes(leftBytes)} now.`,
});

/** `v3` is what lists show. */
const numberOf = (given: string): string => given.replace(/^v(?=\d)/, '');
