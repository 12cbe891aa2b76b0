/** The job that conducts a map: it only waits, and must not occupy the cores of a shard. */
import type { NewJobInput } from '@skein/api';
import type { Source } from '@skein/data/data-set';
import { HERE, MAP_LABEL } from '@skein/jobs/labels';

const CONDUCTOR = { cores: 0.05, memoryBytes: 64 * 2 ** 20 };

/** @param input of the task, but for its tables. */
export function mapJob(
  { queue, name }: { readonly queue: string; readonly name: string },
  tables: Readonly<Record<string, Source>>,
  input: Readonly<Record<string, unknown>>,
): NewJobInput {
  const isPlaced = Object.values(tables).some(({ shards }) =>
    shards.some((shard) => 'path' in shard),
  );
  const requires = isPlaced ? [HERE] : [];
  return {
    queue,
    name: name.slice(0, 200),
    work: {
      kind: 'task',
      task: 'skein-map',
      module: { offered: true },
      input: { tables, ...input, requires },
    },
    resources: CONDUCTOR,
    requires: [MAP_LABEL, ...requires],
    retry: { maxAttempts: 1000, backoffMs: 1000, maxBackoffMs: 60_000 },
  };
}
