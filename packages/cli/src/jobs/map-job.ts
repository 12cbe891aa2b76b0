/** The jobs that do little themselves, and must not occupy the cores of a shard. */
import type { NewJobInput } from '@skein/api';
import type { RemoteAccess, Source } from '@skein/data/data-set';
import { HERE, MAP_LABEL } from '@skein/jobs/labels';

const CONDUCTOR = { cores: 0.05, memoryBytes: 64 * 2 ** 20 };

interface Named {
  readonly queue: string;
  readonly name: string;
}

/**
 * Conducts a map, and waits.
 * @param input of the task, but for its tables.
 */
export function mapJob(
  named: Named,
  tables: Readonly<Record<string, Source>>,
  input: Readonly<Record<string, unknown>>,
): NewJobInput {
  const isPlaced = Object.values(tables).some(({ shards }) =>
    shards.some((shard) => 'path' in shard),
  );
  const requires = isPlaced ? [HERE] : [];
  return taskJob(named, 'skein-map', { tables, ...input, requires }, requires);
}

/** Finds the files to which addresses lead. */
export function listJob(
  named: Named,
  addresses: readonly string[],
  access: RemoteAccess,
): NewJobInput {
  const input = { addresses, access, edition: 0, resources: CONDUCTOR };
  return { ...taskJob(named, 'skein-map-list', input, []), retry: { maxAttempts: 3 } };
}

function taskJob(
  { queue, name }: Named,
  task: string,
  input: unknown,
  requires: readonly string[],
): NewJobInput {
  return {
    queue,
    name: name.slice(0, 200),
    work: { kind: 'task', task, module: { offered: true }, input },
    resources: CONDUCTOR,
    requires: [MAP_LABEL, ...requires],
    retry: { maxAttempts: 1000, backoffMs: 1000, maxBackoffMs: 60_000 },
  };
}
