/** A node in this process that coordinates federations, and sites in Node that join them. */
import { join } from 'node:path';
import type { FederationView } from '@skein/api';
import { createClient, type Client } from '@skein/api/client';
import { invitationOf, type PlannedHelper } from '@skein/federation';
import { helperWork, keysOfHelper, openHelperMemory } from '@skein/federation/helper';
import { openWork, readSiteRows, rowTermsOf, runSite, type SiteEnd } from '@skein/federation/site';
import { openSocket, openSqliteMemory } from '@skein/federation/site/node';
import { mlp, seededRandom, writeModel } from '@skein/onnx';
import { assemblePublic } from '@skein/train';
import { nativeBackend } from '@skein/train/native';
import { startTestNode } from '../../testing/test-node.ts';

export type SiteWork = Awaited<ReturnType<typeof openWork>>;

const DATA = {
  features: [
    { name: 'age', kind: 'number', low: 20, high: 80 },
    { name: 'sex', kind: 'category', categories: ['0', '1'] },
  ],
  target: { name: 'ill', kind: 'category', classes: ['0', '1'] },
} as const;

export interface FederationNode {
  readonly url: string;
  readonly client: Client;
  /** Removed when it closes. */
  readonly folder: string;
  /** Starts a federation over `DATA`. */
  begin(plan: Readonly<Record<string, unknown>>): Promise<FederationView>;
  /** Invites a site, which trains on generated rows until the federation ends. @param change of its work. */
  join(
    id: string,
    name: string,
    seed: number,
    change?: (work: SiteWork) => SiteWork,
  ): Promise<SiteEnd>;
  /** A helper whose keys a plan may name. */
  helper(name: string): Promise<NodeHelper>;
  /** @throws Error if the federation fails before. */
  until(id: string, holds: (view: FederationView) => boolean): Promise<FederationView>;
  close(): Promise<void>;
}

export interface NodeHelper {
  readonly planned: PlannedHelper;
  /** Helps until the federation ends. */
  help(id: string): Promise<SiteEnd>;
}

/** Old people are ill. @returns 40 rows of CSV. */
export function rowsOf(seed: number): string {
  const random = seededRandom(seed);
  const rows = Array.from({ length: 40 }, () => {
    const age = Math.round(20 + 60 * random.next());
    return `${age},${random.next() < 0.5 ? 0 : 1},${age > 50 ? 1 : 0}`;
  });
  return ['age,sex,ill', ...rows].join('\n');
}

export async function startFederationNode(): Promise<FederationNode> {
  const node = await startTestNode({ log: 'json', logLevel: 'error' });
  const closing = new AbortController();
  return {
    ...federationsOn(node.url, node.folder, closing.signal),
    async close() {
      closing.abort();
      await node.close();
    },
  };
}

/** @param folder for what sites and helpers keep. @param signal ends them. */
export function federationsOn(
  url: string,
  folder: string,
  signal: AbortSignal,
): Omit<FederationNode, 'close'> {
  const client = createClient({ url });
  return {
    url,
    client,
    folder,
    async begin(plan) {
      const model = assemblePublic(
        DATA,
        ({ inputs, outputs, seed }) => mlp({ sizes: [inputs, outputs], seed }),
        1,
      );
      const content = new Uint8Array(writeModel(model));
      const { version } = await client.importModel({ name: 'risk', content });
      return client.startFederation({
        model: 'risk',
        version,
        plan: { data: structuredClone(DATA), ...plan } as never,
      });
    },
    async join(id, name, seed, change = (work) => work) {
      const { invitation: text } = await client.inviteSite({ id, name });
      const invitation = invitationOf(text);
      const memory = openSqliteMemory(join(folder, `${id}-${name}.db`));
      try {
        return await runSite({
          invitation,
          open: () => openSocket(url),
          memory,
          consent: async () => {},
          prepare: async (joined, fetchModel) =>
            change(
              await openWork({
                joined,
                run: invitation.run,
                memory,
                model: await fetchModel(),
                rows: await readSiteRows(
                  joined.plan.data,
                  new TextEncoder().encode(rowsOf(seed)),
                  'csv',
                  rowTermsOf(joined.plan),
                ),
                backend: nativeBackend,
              }),
            ),
          signal,
        });
      } finally {
        await memory.close();
      }
    },
    async helper(name) {
      const memory = openHelperMemory(join(folder, `${name}.db`));
      return {
        planned: { name, ...(await keysOfHelper(memory)) },
        async help(id) {
          const { invitation: text } = await client.inviteSite({ id, name, role: 'helper' });
          const invitation = invitationOf(text);
          try {
            return await runSite({
              invitation,
              open: () => openSocket(url),
              memory,
              consent: async () => {},
              prepare: (joined) => helperWork({ run: invitation.run, joined, memory }),
              signal,
            });
          } finally {
            await memory.close();
          }
        },
      };
    },
    async until(id, holds) {
      for (;;) {
        const view = await client.getFederation({ id });
        if (holds(view)) return view;
        if (view.status === 'failed') throw new Error(view.reason);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
  };
}
