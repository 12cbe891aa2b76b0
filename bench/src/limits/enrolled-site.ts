/** A site of a federation on a node, which has its key proved and may send anything. */
import {
  type Connection,
  createIdentity,
  invitationOf,
  join,
  memoryChunks,
  openChannel,
} from '@skein/federation';
import { openSocket } from '@skein/federation/site/node';
import { mlp, writeModel } from '@skein/onnx';
import { assemblePublic } from '@skein/train';
import type { Target } from './attack.ts';
import type { NodeUnderAttack } from './node-under-attack.ts';

const DATA = {
  features: [{ name: 'age', kind: 'number', low: 0, high: 100 }],
  target: { name: 'ill', kind: 'category', classes: ['0', '1'] },
} as const;

export interface EnrolledSite {
  readonly run: string;
  /** Opens a connection, proves the site's key, and accepts the plan. */
  open(): Promise<Connection>;
}

/** Starts a federation of two sites, whose first round is open while the returned one is connected. */
export async function enrolSite({ client, target }: NodeUnderAttack): Promise<EnrolledSite> {
  const model = assemblePublic(
    DATA,
    ({ inputs, outputs, seed }) => mlp({ sizes: [inputs, outputs], seed }),
    1,
  );
  const content = new Uint8Array(writeModel(model));
  const { version } = await client.importModel({ name: 'risk', content });
  const plan = {
    data: structuredClone(DATA),
    rounds: 1000,
    strategy: { name: 'fedavg' },
    privacy: { mode: 'none' },
    aggregation: { kind: 'none', coordinatorSeesUpdates: true },
    sites: { minimum: 2 },
  };
  const { id: run } = await client.startFederation({ model: 'risk', version, plan: plan as never });
  const enrol = async (name: string): Promise<() => Promise<Connection>> => {
    const { invitation } = await client.inviteSite({ id: run, name });
    const identity = await createIdentity();
    return async () => {
      const connection = await openSocket(urlOf(target));
      const channel = openChannel(connection, memoryChunks(2 ** 20));
      await join(channel, {
        identity,
        invitation: invitationOf(invitation),
        accept: () => {},
      });
      return connection;
    };
  };
  const open = await enrol('own');
  (await open()).close();
  await (
    await enrol('silent')
  )();
  return { run, open };
}

export const urlOf = ({ host, httpPort }: Target): string => `http://${host}:${httpPort}`;
