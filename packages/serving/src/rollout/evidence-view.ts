/** The evidence of a rollout as the API shows it: what each member has seen, and what it means. */
import type { MemberEvidence, RolloutEvidence } from '@skein/api';
import type { Deployment } from '../deployment/deployment.ts';
import { digestQuantile, type LatencyDigest } from '@skein/api/latency-buckets';
import { rolloutViewOf } from '../deployment/view.ts';
import { judge, type Counts } from './judge.ts';
import { eventOf, type RolloutReport, type RolloutReports } from './peers.ts';
import type { Rollout } from './rollout.ts';
import { weigh } from './windows.ts';

export function evidenceView(
  deployment: Deployment,
  rollout: Rollout,
  reports: RolloutReports,
  leader: string,
): RolloutEvidence {
  const { plan, step, quantile } = rollout;
  const event = eventOf({ ...rollout, phase: 'shifting' }, reports, rollout.stepStartedAt);
  const windows = event?.kind === 'observed' ? event.windows : new Map();
  return {
    rollout: rolloutViewOf(deployment, rollout),
    steps: [...plan.steps],
    leader,
    step,
    ...weigh(windows, step, plan, quantile),
    members: [...reports].map(([member, report]) => memberEvidence(member, report, rollout)),
  };
}

function memberEvidence(
  member: string,
  report: RolloutReport | undefined,
  { plan, quantile }: Rollout,
): MemberEvidence {
  const window = report?.window;
  const verdict =
    window === undefined
      ? { opinion: 'unknown' as const, reason: SILENCE[report?.state ?? 'silent'] }
      : judge(window, plan, quantile);
  return {
    member,
    state: report?.state ?? 'silent',
    step: window === undefined || window.step < 0 ? null : window.step,
    candidate:
      window === undefined ? null : countsView(window.candidate, window.latency?.candidate),
    stable: window === undefined ? null : countsView(window.stable, window.latency?.stable),
    ...verdict,
  };
}

const SILENCE = {
  silent: 'it has not reported',
  loading: 'the version is loading there',
  ready: 'it has not begun yet',
} as const;

function countsView(
  counts: Counts,
  latency: LatencyDigest | undefined,
): NonNullable<MemberEvidence['candidate']> {
  const p99Ms = latency === undefined ? null : digestQuantile([latency], 0.99);
  return { ...counts, p99Ms };
}
