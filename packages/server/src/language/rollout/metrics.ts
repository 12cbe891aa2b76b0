/** The rollouts of language models in `/metrics`: of this node, by model, since each has begun. */
import type { FollowedRollout } from '@skein/generative';
import { type Exposition, labelled } from '@skein/http';
import { routeText } from './records.ts';

export function exposeRollouts(rollouts: readonly FollowedRollout[], into: Exposition): void {
  if (rollouts.length === 0) return;
  const labelsOf = ({ model, candidate }: FollowedRollout) => ({ model, to: routeText(candidate) });
  const percent = (name: string, help: string, of: (each: FollowedRollout) => number): void => {
    into.family(name, 'gauge', help);
    for (const each of rollouts) into.sample(labelled(labelsOf(each)), of(each) * 100);
  };
  percent(
    'skein_language_rollout_share_percent',
    'Requests that the new route of a model answers.',
    ({ share }) => share,
  );
  percent(
    'skein_language_rollout_copied_percent',
    'Requests that are copied to the new route of a model.',
    ({ copied }) => copied,
  );
  into.family(
    'skein_language_rollout_requests_total',
    'counter',
    'Requests of a rollout, by the side that took them and its outcome.',
  );
  for (const each of rollouts) {
    for (const [side, { requests, errors, late }] of Object.entries(each.totals())) {
      const outcomes = { answered: requests - errors - late, failed: errors, late };
      for (const [outcome, count] of Object.entries(outcomes)) {
        into.sample(labelled({ ...labelsOf(each), side, outcome }), count);
      }
    }
  }
  into.family(
    'skein_language_rollout_copies_total',
    'counter',
    'Copies of requests for a shadow, sent and skipped.',
  );
  for (const each of rollouts) {
    const { sent, skipped } = each.window().copies;
    into.sample(labelled({ ...labelsOf(each), outcome: 'sent' }), sent);
    into.sample(labelled({ ...labelsOf(each), outcome: 'skipped' }), skipped);
  }
  into.family(
    'skein_language_rollout_copies_cost_usd_total',
    'counter',
    'Cost of the copies, in US dollars.',
  );
  for (const each of rollouts) {
    into.sample(labelled(labelsOf(each)), each.window().copies.nanoDollars / 1e9);
  }
}
