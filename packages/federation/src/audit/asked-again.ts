/**
 * Rounds of the auditor's own training whose sites are killed after they have sent, and asked again: what a coordinator
 * may do with a site that it has lost. A site that answered with fresh noise each time would let it average the
 * noise away, at the cost of one release in its books; the auditor averages whatever it gets.
 */
import { completePlan } from '../plan/complete.ts';
import type { Plan } from '../plan/plan.ts';
import { digestOf } from '@skein/api/canonical';
import { answerOnce, type Work } from '../site/answers.ts';
import { identityOf } from '../identity/keys.ts';
import type { SiteClock } from '../site/answer-times.ts';
import type { SiteMemory } from '../site/memory/site-memory.ts';
import {
  addResidues,
  decodeSum,
  residueCount,
  type Asking,
  type SumEncoding,
} from '@skein/train/federated';

/** The auditor reads sums, not times. */
const AT_ONCE: SiteClock = { now: () => 0, wait: async () => undefined };

export interface AskedAgainOptions {
  /** Opens the memory of a site, as a process that begins does: the same file each time. */
  readonly memoryOf: (site: number) => Promise<SiteMemory>;
  /** Times that each site is killed and asked again. */
  readonly resumes: number;
  readonly rounds: number;
}

const RUN = 'audit';

export const askedAgain =
  ({ memoryOf, resumes, rounds }: AskedAgainOptions): Asking =>
  async (sites, { encoding }) => {
    const plan = auditPlan(encoding, rounds, sites.length);
    const planDigest = await digestOf(plan);
    let round = 0;

    async function asked(site: number, parameters: Float32Array): Promise<Uint32Array> {
      const memory = await memoryOf(site);
      try {
        const work: Work = async () => {
          const { buffer } = await sites[site]!.residues(parameters);
          return { fields: {}, payload: new Uint8Array(buffer as ArrayBuffer) };
        };
        const identity = await identityOf(await memory.identity());
        const answer = answerOnce({
          run: RUN,
          plan,
          planDigest,
          identity,
          memory,
          work,
          clock: AT_ONCE,
        });
        const place = { round, attempt: 0, phase: 'input' };
        const { payload } = await answer({ place, fields: {}, payload: undefined });
        return new Uint32Array(payload!.slice().buffer);
      } finally {
        await memory.close();
      }
    }

    return {
      async release(parameters) {
        const mean = new Float64Array(encoding.length);
        for (let time = 0; time <= resumes; time += 1) {
          const sum = new Uint32Array(residueCount(encoding));
          for (const site of sites.keys())
            addResidues(sum, await asked(site, parameters), encoding);
          const decoded = decodeSum(sum, encoding, sites.length).sum;
          decoded.forEach((each, i) => (mean[i] = mean[i]! + each / (resumes + 1)));
        }
        round += 1;
        return mean;
      },
    };
  };

/** A plan whose budget stops nothing: the auditor counts alone. */
function auditPlan({ length }: SumEncoding, rounds: number, sites: number): Plan {
  return completePlan({
    name: RUN,
    model: { digest: '0'.repeat(64), parameters: length },
    data: {
      features: [{ name: 'canary', kind: 'number', low: 0, high: 1 }],
      target: { name: 'label', kind: 'category', classes: ['0', '1'] },
    },
    task: 'binary',
    strategy: { name: 'fedsgd' },
    rounds,
    privacy: { mode: 'patient', noise: 1e6, denominator: 1, epsilon: 1e6 },
    sites: { minimum: Math.max(2, sites) },
  });
}
