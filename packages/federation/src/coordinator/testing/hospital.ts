/** A real site of protocol A whose training is a number: `runSite` with the work of pairwise masks. */
import { invitationOf } from '../../identity/invitation.ts';
import type { Work } from '../../site/answers.ts';
import { openSqliteMemory } from '../../site/memory/sqlite-memory.ts';
import { runSite, type SiteEnd, type SiteOptions } from '../../site/run-site.ts';
import { pairwiseWork } from '../../site/work/pairwise-work.ts';
import { connectionPair } from '../../transport/connection.ts';
import type { TestFederation } from './federation.ts';

export interface HospitalOptions {
  readonly run: string;
  /** Default: a connection within this process that never breaks. */
  readonly open?: SiteOptions['open'];
  /** Number that it adds to the first parameter; twice as much to the second, and so on. */
  readonly number: number;
  readonly change?: (work: Work) => Work;
  readonly more?: Partial<SiteOptions>;
}

export async function startHospital(
  at: TestFederation,
  { run, number, open = connecting(at), change, more }: HospitalOptions,
): Promise<{ readonly key: string; readonly ended: Promise<SiteEnd> }> {
  const memory = more?.memory ?? openSqliteMemory(':memory:');
  const keys = await memory.identity();
  const raw = await crypto.subtle.exportKey('raw', keys.publicKey);
  const update = async (_: number, broadcast: Float32Array) => ({
    numbers: Float64Array.from(broadcast, (_each, place) => number * (place + 1)),
    weight: 1,
  });
  const ended = runSite({
    invitation: invitationOf(await at.coordinator.invite(run, { name: `site ${number}` })),
    memory,
    consent: async () => {},
    open,
    async prepare(joining) {
      const work = await pairwiseWork({ ...joining, run, keys, training: { update } });
      return change?.(work) ?? work;
    },
    signal: new AbortController().signal,
    ...more,
  });
  ended.catch(() => {});
  return { key: Buffer.from(raw).toString('hex'), ended };
}

const connecting = (at: TestFederation) => async () => {
  const [near, far] = connectionPair();
  at.coordinator.connect(far);
  return near;
};
