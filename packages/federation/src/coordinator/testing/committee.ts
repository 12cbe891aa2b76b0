/** A federation with a committee of real helpers, and sites that add multiples of a number to the parameters. */
import { onTestFinished } from 'vitest';
import {
  helperWork,
  keysOfHelper,
  openHelperMemory,
  type HelperMemory,
} from '../../helper/index.ts';
import { invitationOf } from '../../identity/invitation.ts';
import type { PlanDraft } from '../../plan/plan.ts';
import type { PlannedHelper } from '../../plan/terms.ts';
import type { Work } from '../../site/answers.ts';
import { openSqliteMemory } from '../../site/memory/sqlite-memory.ts';
import { runSite, type SiteOptions } from '../../site/run-site.ts';
import { committeeWork } from '../../site/work/committee-work.ts';
import { connectionPair, type Connection } from '../../transport/connection.ts';
import { startFederation, type TestFederation } from './federation.ts';

export interface TestHelper {
  readonly name: string;
  readonly memory: HelperMemory;
  readonly planned: PlannedHelper;
  readonly invitation: string;
}

export interface Running {
  /** How it has ended, or the error. */
  readonly ended: Promise<unknown>;
  /** Ends the process of it, as it were. */
  kill(): Promise<void>;
}

export interface TestCommittee {
  readonly at: TestFederation;
  readonly id: string;
  readonly helpers: readonly TestHelper[];
  /** @param change of the helper's work. */
  helper(number: number, change?: (work: Work) => Work, onEvent?: SiteOptions['onEvent']): Running;
  /** A new site that adds its number to the first parameter, twice as much to the second, and so on. */
  site(number: number, options?: SiteTest): Promise<Running>;
}

export interface SiteTest extends Partial<Pick<SiteOptions, 'once' | 'memory' | 'onEvent'>> {
  readonly invitation?: string;
  readonly weight?: number;
  /** Called with the broadcast that it trains from; its training ends after that. */
  readonly onBroadcast?: (broadcast: Float32Array, round: number) => unknown;
  readonly change?: (work: Work) => Work;
}

const NAMES = ['Basel', 'Delft', 'Lyon', 'Turin'];

type CommitteeDraft = Extract<NonNullable<PlanDraft['aggregation']>, { kind: 'committee' }>;

export async function startCommittee(
  more: Partial<PlanDraft> = {},
  count = 3,
  encoding: Partial<Omit<CommitteeDraft, 'kind' | 'helpers'>> = {},
  network?: (at: TestFederation) => Promise<{ readonly open: () => Promise<Connection> }>,
): Promise<TestCommittee> {
  const made = await Promise.all(
    NAMES.slice(0, count).map(async (name) => {
      const memory = openHelperMemory(':memory:');
      return { name, memory, planned: { name, ...(await keysOfHelper(memory)) } };
    }),
  );
  const at = await startFederation({
    aggregation: {
      kind: 'committee',
      range: 10,
      ...encoding,
      helpers: made.map(({ planned }) => planned),
    },
    sites: { minimum: 4, maximum: 8, threshold: 3 },
    ...more,
  });
  const { id } = await at.coordinator.start(at.draft);
  const helpers = await Promise.all(
    made.map(async (each) => ({
      ...each,
      invitation: await at.coordinator.invite(id, { name: each.name, role: 'helper' }),
    })),
  );
  const closing = new AbortController();
  onTestFinished(() => closing.abort());

  const direct = async (): Promise<Connection> => {
    const [near, far] = connectionPair();
    at.coordinator.connect(far);
    return near;
  };
  const { open } = (await network?.(at)) ?? { open: direct };
  function run(options: Omit<SiteOptions, 'open' | 'consent' | 'signal'>): Running {
    const leaving = new AbortController();
    const signal = AbortSignal.any([closing.signal, leaving.signal]);
    const ended = runSite({ ...options, open, consent: async () => {}, signal }).catch(
      (error: unknown) => error,
    );
    return {
      ended,
      async kill() {
        leaving.abort();
        await ended;
      },
    };
  }

  return {
    at,
    id,
    helpers,
    helper(
      number: number,
      change?: (work: Work) => Work,
      onEvent: SiteOptions['onEvent'] = () => {},
    ) {
      const { memory, invitation } = helpers[number]!;
      return run({
        onEvent,
        invitation: invitationOf(invitation),
        memory,
        async prepare(joined) {
          const work = await helperWork({ run: id, joined, memory });
          return change?.(work) ?? work;
        },
      });
    },
    async site(number, { weight = 1, change, onBroadcast, ...options } = {}) {
      const text = options.invitation ?? (await at.coordinator.invite(id, { name: 'page' }));
      const memory = options.memory ?? openSqliteMemory(':memory:');
      const keys = await memory.identity();
      return run({
        ...options,
        invitation: invitationOf(text),
        memory,
        async prepare(joined) {
          const update = async (round: number, broadcast: Float32Array) => {
            await onBroadcast?.(broadcast, round);
            // Another one at each place, so that none can be taken for another.
            const numbers = Float64Array.from(broadcast, (_each, i) => number * (i + 1));
            return { numbers, weight };
          };
          const training = { update };
          const work = await committeeWork({ ...joined, run: id, keys, training });
          return change?.(work) ?? work;
        },
      });
    },
  };
}
