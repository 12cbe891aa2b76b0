/**
 * Answers to generated requests. An answer with status 200 must keep each invariant of CDS Hooks 2.0; every other one must be
 * a refusal of the request with a code, and without a card.
 */
import { seededRandom } from '@skein/onnx';
import { cardsInvariants } from '../../../apps/health/src/testing/invariants.ts';
import type { RowGroup } from '../harness/row-group.ts';
import { generatedRequest } from './generated-requests.ts';
import { withService, type Answer, type Hospital } from './service.ts';

const REQUESTS = 10_000;
const QUICK_REQUESTS = 1000;
/** Requests in flight. */
const TOGETHER = 8;
const SEED = 42;
/** Least share of answers with a card: the invariants of a card need cards. */
const LEAST_CARDS = 0.2;

export const INVARIANTS: RowGroup = {
  measures: [
    {
      key: 'cds_invalid',
      what: `answers to ${REQUESTS} generated requests (1,000 with --quick) that break an invariant of CDS Hooks`,
      unit: '',
      target: { atMost: 0 },
    },
  ],
  async measure({ quick, progress }) {
    const count = quick ? QUICK_REQUESTS : REQUESTS;
    progress(`invariants: ${count} requests`);
    const random = seededRandom(SEED);
    const statuses: Record<string, number> = {};
    const problems: string[] = [];
    let [sent, cards] = [0, 0];
    const send = async (hospital: Hospital): Promise<void> => {
      while (sent < count) {
        sent++;
        const answer = await hospital.view(generatedRequest(random));
        const { code } = answer.body;
        const kind = typeof code === 'string' ? `${answer.status} ${code}` : String(answer.status);
        statuses[kind] = (statuses[kind] ?? 0) + 1;
        if ((answer.body['cards'] as readonly unknown[] | undefined)?.length === 1) cards++;
        const [problem] = problemsOf(answer);
        if (problem !== undefined) problems.push(problem);
      }
    };
    await withService({}, (hospital) =>
      Promise.all(Array.from({ length: TOGETHER }, () => send(hospital))),
    );
    if (cards < LEAST_CARDS * count)
      throw new Error(`Only ${cards} of ${count} answers had a card.`);
    return {
      results: { cds_invalid: problems.length },
      details: {
        cds_answers: { requests: count, cards, statuses, problems: problems.slice(0, 10) },
      },
    };
  },
};

/** Statuses with which a service may refuse a request for the request's own faults. */
const REFUSALS: ReadonlySet<number> = new Set([400, 412, 422]);

function problemsOf({ status, body }: Answer): readonly string[] {
  if (status === 200) return cardsInvariants(body);
  const isCoded = typeof body['code'] === 'string' && typeof body['error'] === 'string';
  return REFUSALS.has(status) && isCoded && body['cards'] === undefined
    ? []
    : [`${status} ${JSON.stringify(body).slice(0, 200)}`];
}
