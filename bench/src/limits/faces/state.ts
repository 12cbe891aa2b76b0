/** Records of a shared store that another process wrote, and that the node reads back. */
import { openState } from '@skein/state';
import type { Face, Places, Sent } from '../face.ts';
import { anything, type Json, MIB, pick, type Random, size } from './grammar.ts';

/** Beyond the bound of a record (`JSON_BOUNDS.record`). */
const RECORD_BYTES = 12 * MIB;

type Store = Awaited<ReturnType<typeof openState>>;

interface Stored {
  readonly write: (store: Store, value: Json) => Promise<unknown>;
  readonly read: (places: Places) => Promise<unknown>;
}

const MEMBER = {
  name: 'other',
  address: '',
  version: '0',
  schema: { reads: [1, 1] as const },
  memoryBytes: 1e9,
  cores: 1,
  accelerators: [],
  loaded: [],
};
const RUN = { id: 'r1', name: 'r', status: 'finished', startedAt: '2030-01-01T00:00:00.000Z' };

const RECORDS: Readonly<Record<string, Stored>> = {
  run: {
    // The newest of all writes stands.
    write: (store, value) =>
      store.putRun({ ...RUN, updatedAt: new Date().toISOString(), epochs: [value] } as never),
    read: ({ node }) => node.client.getRun({ id: RUN.id }),
  },
  runs: {
    write: (store, value) =>
      store.putRun({
        ...RUN,
        updatedAt: new Date().toISOString(),
        task: value,
        epochs: [],
      } as never),
    read: ({ node }) => node.client.listRuns({}),
  },
  member: {
    write: (store, value) => store.members.join({ ...MEMBER, load: { value } }, 2000),
    read: ({ node }) => node.client.getFleet(),
  },
  history: {
    write: (store, value) =>
      store.addHistory({
        deployment: 'floats',
        kind: 'deployed',
        actor: 'a',
        detail: value,
      } as never),
    read: ({ node }) => node.client.listHistory({}),
  },
};

function record(random: Random): Sent {
  const name = pick(random, Object.keys(RECORDS));
  const value = anything(random, size(random, RECORD_BYTES));
  return {
    what: name,
    bytes: JSON.stringify(value).length,
    async send(places) {
      const { write, read } = RECORDS[name]!;
      const store = await openState(places.node.target.fleet!.redis);
      // The writer reads some records back, within the bound too.
      await write(store, value).catch(() => {});
      await store.close();
      return read(places).then(
        () => 'read',
        (error: unknown) => (error as Error).message.slice(0, 60),
      );
    },
  };
}

export const stateFaces: readonly Face[] = [{ name: 'state', make: record }];
