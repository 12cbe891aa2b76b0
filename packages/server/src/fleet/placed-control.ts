/**
 * Changes of deployments in a fleet whose members hold different ones: a member that holds the
 * deployment carries the change out, and it is asked for by whichever member the operator has called.
 */
import { DeploymentView, SkeinError } from '@skein/api';
import type { ForwardedChange } from '@skein/fleet';
import type { DeploymentControl, Registry } from '@skein/serving';
import type { FleetPlacing } from './placing.ts';

export interface PlacedControlOptions {
  readonly local: DeploymentControl;
  readonly registry: Pick<Registry, 'version'>;
  readonly placing: FleetPlacing;
  /** Incarnation of this member. */
  readonly self: () => string;
  /** Live members that hold a deployment, without this one. */
  readonly holders: (deployment: string) => readonly string[];
  /** Asks another member for a change. @returns what it answers. @throws SkeinError as it does; PEER_LOST. */
  readonly ask: (member: string, change: ForwardedChange) => Promise<unknown>;
}

export function placedControl(options: PlacedControlOptions): DeploymentControl {
  const { local, registry, placing, self, holders, ask } = options;
  const isElsewhere = (name: string): boolean =>
    local.views().some((view) => view.name === name && view.status === 'elsewhere');
  const servesHere = (name: string): boolean =>
    local
      .views()
      .some(
        (view) => view.name === name && !['elsewhere', 'unloaded', 'failed'].includes(view.status),
      );

  /** The member that carries a change out; undefined: this one. */
  function carrierOf(name: string): string | undefined {
    return isElsewhere(name) ? holders(name)[0] : undefined;
  }

  async function forwarded(member: string, change: ForwardedChange): Promise<DeploymentView> {
    const answer = DeploymentView.safeParse(await ask(member, change));
    if (answer.success) return answer.data;
    throw new SkeinError('INTERNAL', `Member ${member} answered a change with something else.`);
  }

  return {
    ...local,
    async deploy(request, actor) {
      let carrier = carrierOf(request.name);
      if (carrier === undefined && !servesHere(request.name)) {
        const record = await registry.version(request.name, request.version);
        const taker = await placing.takerOf(record, request.settings);
        carrier = taker === self() ? undefined : taker;
      }
      if (carrier === undefined) return local.deploy(request, actor);
      return forwarded(carrier, { change: 'deploy', parameters: [request], actor });
    },
    async changeSettings(name, settings, actor) {
      const carrier = carrierOf(name);
      if (carrier === undefined) return local.changeSettings(name, settings, actor);
      return forwarded(carrier, { change: 'changeSettings', parameters: [name, settings], actor });
    },
    async rollback(name, reason, actor) {
      const carrier = carrierOf(name);
      if (carrier === undefined) return local.rollback(name, reason, actor);
      return forwarded(carrier, { change: 'rollback', parameters: [name, reason], actor });
    },
  };
}

/** Carries out what another member asks for. @throws SkeinError as the change does; USAGE for an unknown one. */
export async function carryOut(
  local: DeploymentControl,
  { change, parameters, actor }: ForwardedChange,
): Promise<DeploymentView> {
  const carrying = { deploy: 1, changeSettings: 2, rollback: 2 } as const;
  if (!Object.hasOwn(carrying, change) || parameters.length !== carrying[change]) {
    throw new SkeinError('USAGE', `A member asked for the change "${change}", which is unknown.`);
  }
  const carry = local[change] as (...all: readonly unknown[]) => Promise<DeploymentView>;
  return carry(...parameters, actor);
}
