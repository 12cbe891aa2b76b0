/** The reports of rollouts, as the members publish them with their leases. */
import type { RolloutPeers, RolloutReport } from '@skein/serving';
import type { Member } from '@skein/state';
import type { OwnMembership } from './membership.ts';
import type { FleetPlacing } from './placing.ts';

/** The name of the reports in what a member publishes. */
export const ROLLOUTS = 'rollouts';

/** @param placing which members hold a deployment; absent: all of them. */
export function rolloutPeers(
  membership: OwnMembership,
  placing?: Pick<FleetPlacing, 'placed'>,
): RolloutPeers {
  return {
    get self() {
      return membership.incarnation;
    },
    async others(deployment) {
      const members = await membership.read();
      const placed = placing?.placed(deployment);
      return new Map(
        members
          .filter(({ incarnation }) => incarnation !== membership.incarnation)
          .filter(
            ({ incarnation, loaded }) =>
              placed === undefined ||
              placed.has(incarnation) ||
              loaded.some(({ model }) => model === deployment),
          )
          .map((member) => [member.incarnation, reportOf(member, deployment)]),
      );
    },
    publish: () => void membership.publish(),
  };
}

/** A member of another version may publish something else: it counts as silent. */
function reportOf({ load }: Member, deployment: string): RolloutReport | undefined {
  const reports = load?.[ROLLOUTS] as Readonly<Record<string, RolloutReport>> | undefined;
  const report = reports?.[deployment];
  return typeof report?.rollout === 'string' ? report : undefined;
}
