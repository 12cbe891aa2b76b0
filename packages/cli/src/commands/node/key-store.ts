/**
 * API keys, over a node or directly in its data folder. The first key must exist before a node may
 * listen on other addresses, so no node can create it.
 */
import type { BudgetUsageView, NewKey } from '@skein/api';
import type { KeyRecord } from '@skein/state';
import type { Context } from '../../command-line/command.ts';
import {
  connect,
  dataFolder,
  explicitUrl,
  runningNode,
  type ConnectionChoice,
} from '../../connection/connection.ts';
import { commandOver } from '../../connection/node-command.ts';

/** The public part of a key. */
export type ShownKey = Omit<KeyRecord, 'secretHash'>;

/** One key, and the resources that its tenant holds; only a node counts them. */
export interface KeyDetails extends ShownKey {
  /** Whether the state would survive a restart. */
  readonly durable: boolean;
  readonly usage?: readonly BudgetUsageView[];
}

interface KeyStore {
  /** Where the keys are: the node's URL, or the data folder. */
  readonly place: string;
  create(key: NewKey): Promise<ShownKey & { readonly secret: string }>;
  list(): Promise<readonly ShownKey[]>;
  show(id: string): Promise<KeyDetails>;
  revoke(id: string): Promise<void>;
  close(): Promise<void>;
}

/** Works with the keys of the node that was named or runs on the data folder; else of the folder itself. */
async function withKeyStore<T>(
  context: Context,
  choice: ConnectionChoice,
  work: (store: KeyStore) => Promise<T>,
): Promise<T> {
  const folder = dataFolder(context, choice.data);
  const running = explicitUrl(context, choice) ?? (await runningNode(folder))?.url;
  const store = running === undefined ? await offline(folder) : await online(context, choice);
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

export const keysCommand = commandOver(withKeyStore);

async function online(context: Context, choice: ConnectionChoice): Promise<KeyStore> {
  const { client, url } = await connect(context, choice);
  return {
    place: url,
    create: (key) => client.createKey(key),
    list: async () => (await client.listKeys()).keys,
    show: (id) => client.getKey({ id }),
    revoke: async (id) => {
      await client.revokeKey({ id });
    },
    close: () => Promise.resolve(),
  };
}

async function offline(folder: string): Promise<KeyStore> {
  const { NewKey: schema, validate } = await import('@skein/api');
  const { auditTrail, openKeyRing } = await import('@skein/server/keys');
  const { openDataFolder, openSqliteState, withReserve } = await import('@skein/state');
  const held = await openDataFolder(folder);
  const state = withReserve(await openSqliteState(held.databasePath), held.reserve);
  const keys = await openKeyRing(state);
  // The same entries that a node writes. When one cannot be written, the command fails, so that it
  // does not print the secret of a key that the trail lacks.
  const audit = auditTrail(state, (error) => {
    throw error;
  });
  const by = { actor: 'local', remote: 'data folder' };
  return {
    place: folder,
    create: (key) =>
      audit({ ...by, action: 'createKey', subject: (made) => made?.id ?? '' }, async () => {
        // A key that a node refuses would be one that no budget or queue can name.
        const { key: view, secret } = await keys.create(validate(schema, key, 'key'));
        return { ...view, secret };
      }),
    list: () => keys.list(),
    show: (id) => keys.show(id),
    revoke: (id) => audit({ ...by, action: 'revokeKey', subject: () => id }, () => keys.revoke(id)),
    async close() {
      await keys.close();
      await state.close();
      await held.close();
    },
  };
}

/** `valid`, `revoked`, `expired` or `until 2030-01-31`. */
export function keyStateText(key: Pick<ShownKey, 'revokedAt' | 'expiresAt'>, now: number): string {
  if (key.revokedAt !== undefined) return 'revoked';
  if (key.expiresAt === undefined) return 'valid';
  return Date.parse(key.expiresAt) <= now ? 'expired' : `until ${key.expiresAt.slice(0, 10)}`;
}
