/**
 * How the members of a fleet carry out one rollout. The deployment's row holds the step. One member,
 * by a lease, is the leader: it weighs what all members report and writes the next step; every member
 * reads the row and follows.
 *
 *        reports, each second                        row: step, revision
 *   member ───────────────────▶ leader ──compare-and-set──▶ store ──▶ every member
 *
 * A leader that was paused, and replaced meanwhile, names an old revision, or a lease that has ended:
 * the store refuses its step. The new leader continues at the stored step with the windows that the
 * members still hold.
 */
import type { Instant } from '../contract.ts';
import type { Rollout, RolloutEvent } from './rollout.ts';
import type { RolloutWindow } from './windows.ts';

/** A member's report about a rollout that it takes part in. */
export interface RolloutReport {
  /** The id of the rollout. */
  readonly rollout: string;
  readonly state: 'loading' | 'ready';
  /** Once it is ready. */
  readonly window?: RolloutWindow | undefined;
}

/** The other members, as a rollout needs them. */
export interface RolloutPeers {
  /** This member. */
  readonly self: string;
  /** The other live members, with what they published about a deployment. */
  others(deployment: string): Promise<ReadonlyMap<string, RolloutReport | undefined>>;
  /** Publishes the reports of this member now, and not only at its next renewal. */
  publish(): void;
}

export type RolloutReports = ReadonlyMap<string, RolloutReport | undefined>;

/**
 * A live member that takes part reports within seconds. One that does not (it cannot load the old
 * version either, or runs a Skein without rollouts) does not hold up the others for longer.
 */
const SILENT_MS = 10_000;

/** The decision that the reports give for a rollout; undefined: wait. @param reports this member's among them. */
export function eventOf(
  rollout: Rollout,
  reports: RolloutReports,
  now: Instant,
): RolloutEvent | undefined {
  if (rollout.phase !== 'warming') {
    const windows = new Map<string, RolloutWindow>();
    for (const [member, report] of reports) {
      if (report?.window !== undefined) windows.set(member, report.window);
    }
    return { kind: 'observed', windows };
  }
  const isPatient = now - rollout.stepStartedAt < SILENT_MS;
  for (const report of reports.values()) {
    if (report === undefined ? isPatient : report.state === 'loading') return undefined;
  }
  return { kind: 'warmed' };
}

/**
 * The newest report of each member, and the last one of each member that has left during this step:
 * what it has seen still counts.
 */
export function withDeparted(
  before: RolloutReports,
  now: RolloutReports,
  rollout: string,
  step: number,
): RolloutReports {
  const reports = new Map(now);
  for (const [member, report] of now) {
    if (report !== undefined && report.rollout !== rollout) reports.set(member, undefined);
  }
  for (const [member, report] of before) {
    if (!reports.has(member) && report?.window?.step === step) reports.set(member, report);
  }
  return reports;
}
