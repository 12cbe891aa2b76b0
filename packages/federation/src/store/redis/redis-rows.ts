/**
 * `Rows` in a Redis with its append-only file on: one hash and one ordered set of keys for each
 * partition, and one server-side function for each call.
 */
import { randomUUID } from 'node:crypto';
import { connect, type Functions } from '@skein/state/redis';
import { waitsForDisk } from '@skein/state/redis-disk';
import type { Rows } from '../rows.ts';

const EFFECTS = {
  commit: 'grows',
  drop: 'frees',
  get: 'reads',
  partitions: 'reads',
  scan: 'reads',
} as const;

const FUNCTIONS: Functions<keyof typeof EFFECTS> = {
  family: 'skein_federation',
  folder: new URL('./scripts/', import.meta.url),
  constants: {},
  shared: ['call'],
  effects: EFFECTS,
};

/** @throws SkeinError STORE_UNREACHABLE, STORE_TOO_OLD. */
export async function openRedisRows(url: string, namespace: string): Promise<Rows> {
  const prefix = `skein:{${namespace}}:federation:`;
  const connection = connect(url, prefix, FUNCTIONS);
  type Argument = string | number;
  const run = (name: keyof typeof EFFECTS, ...args: readonly Argument[]): Promise<unknown> =>
    connection.run(name, () => args);

  const onDisk = waitsForDisk(connection, (redis) => redis.set(`${prefix}synced`, '1'));

  const rows: Rows = {
    async get(partition, keys) {
      const [version, values] = (await run('get', partition, ...keys)) as [
        number,
        readonly (string | null)[],
      ];
      return { version, values: keys.map((_, i) => values[i] ?? undefined) };
    },
    async scan(partition, prefix, from, limit) {
      const first = from > prefix ? from : prefix;
      const flat = (await run('scan', partition, prefix, first, limit)) as string[];
      return Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i]!, flat[2 * i + 1]!]);
    },
    async commit(partition, version, { put, remove = [], survives }) {
      // A call that is sent again finds its own id, and answers as it did the first time.
      const id = randomUUID();
      const written = [...put].flat();
      const taken = await run('commit', partition, version, id, put.size, ...written, ...remove);
      if (taken === 1 && survives === 'power-cut') await onDisk();
      return taken === 1;
    },
    partitions: async () => ((await run('partitions')) as string[]).toSorted(),
    async drop(partition) {
      const dropped = await run('drop', partition);
      await onDisk();
      return dropped === 1;
    },
    close: () => connection.close(),
  };
  try {
    await rows.partitions();
  } catch (error) {
    await connection.close();
    throw error;
  }
  return rows;
}
