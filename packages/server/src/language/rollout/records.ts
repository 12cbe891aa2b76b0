/**
 * Rollouts of language models as records of the state: one per model, and one window per member that
 * has sent requests during it. They are declarations of kinds of their own, next to the model's.
 */
import {
  type LanguageModel,
  LanguageRolloutRecord,
  type LanguageRolloutView,
  LanguageRolloutWindow,
  type RouteName,
} from '@skein/api';
import type { RouteRollout, RouteWindow } from '@skein/generative';
import {
  copiedShareOf,
  evidenceOf,
  isOver,
  p99Of,
  shareOf,
  type Rollout,
} from '@skein/serving/rollout-policy';
import type { DeclarationRecord } from '@skein/state';

export const ROLLOUT = 'language-rollout';
export const WINDOW = 'language-rollout-window';

type Seen = NonNullable<LanguageRolloutRecord['seen']>;

export const routeText = ({ provider, model }: RouteName): string => `${provider}=${model}`;
export const isRoute = (a: RouteName, b: RouteName): boolean =>
  a.provider === b.provider && a.model === b.model;

/** Records that this version of Skein cannot read are left out. */
export function rolloutsOf(records: readonly DeclarationRecord[]): LanguageRolloutRecord[] {
  return records
    .filter(({ kind }) => kind === ROLLOUT)
    .flatMap(({ value }) => LanguageRolloutRecord.safeParse(value).data ?? []);
}

/** The windows of a rollout by their members. */
export function windowsOf(
  records: readonly DeclarationRecord[],
  { id, model }: LanguageRolloutRecord,
): Map<string, RouteWindow> {
  const windows = new Map<string, RouteWindow>();
  for (const { kind, name, value } of records) {
    if (kind !== WINDOW || !name.startsWith(`${model} `)) continue;
    const { data } = LanguageRolloutWindow.safeParse(value);
    if (data?.rollout === id) windows.set(name.slice(model.length + 1), data.window);
  }
  return windows;
}

/** Share of requests whose first token must keep the objective. */
const QUANTILE = 0.99;

/** For the policy, whose versions are the routes. */
export function policyOf(stored: LanguageRolloutRecord): Rollout {
  const { plan, phase, step, stepStartedAt, reason, replaces, candidate } = stored;
  const from = [{ version: routeText(replaces), weight: 100 }];
  const to = routeText(candidate);
  return { plan, quantile: QUANTILE, from, to, phase, step, stepStartedAt, reason };
}

export function isRunning(stored: LanguageRolloutRecord): boolean {
  return !isOver(policyOf(stored));
}

/** For the gateways of a process. */
export function followable(stored: LanguageRolloutRecord): RouteRollout {
  const { id, model, candidate, replaces, step } = stored;
  const policy = policyOf(stored);
  return {
    id,
    model,
    candidate,
    replaces,
    step,
    share: shareOf(policy) / 100,
    copied: copiedShareOf(policy),
  };
}

export function seenOf(
  { step }: LanguageRolloutRecord,
  windows: ReadonlyMap<string, RouteWindow>,
): Seen {
  const { candidate, stable } = evidenceOf(windows, step);
  const { candidateMs, stableMs } = p99Of(windows, step);
  const copies = [...windows.values()].map((window) => window.copies);
  const sum = (of: (each: (typeof copies)[number]) => number): number =>
    copies.reduce((total, each) => total + of(each), 0);
  return {
    candidate: sideOf(candidate, candidateMs),
    stable: sideOf(stable, stableMs),
    copies: {
      sent: sum(({ sent }) => sent),
      skipped: sum(({ skipped }) => skipped),
      costUsd: sum(({ nanoDollars }) => nanoDollars) / 1e9,
    },
  };
}

function sideOf(counts: RouteWindow['stable'], ttftP99Ms: number | null): Seen['stable'] {
  const { requests, errors, late } = counts;
  return { requests, errors, late, ttftP99Ms };
}

export function viewOf(stored: LanguageRolloutRecord, seen: Seen): LanguageRolloutView {
  const { model, plan, phase, reason, startedAt, replaces, candidate } = stored;
  const { share, copied } = followable(stored);
  return {
    model,
    strategy: plan.strategy,
    from: routeText(replaces),
    to: routeText(candidate),
    phase,
    share: phase === 'finished' && plan.strategy === 'canary' ? 100 : share * 100,
    copied: copied * 100,
    reason,
    startedAt,
    ...seen,
  };
}

/** The model with the new route in the place of the old one. */
export function promoted(
  model: LanguageModel,
  { replaces, candidate }: LanguageRolloutRecord,
): LanguageModel {
  return {
    ...model,
    routes: model.routes.map((route) => (isRoute(route, replaces) ? candidate : route)),
  };
}
