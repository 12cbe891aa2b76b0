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
  /**
   * Asks another member for a change.
   * @returns what it answers; undefined: it cannot be reached, and nothing was sent.
   * @throws SkeinError as it does; PEER_LOST when the change may have been made.
   */
  readonly ask: (
    member: string,
    change: ForwardedChange,
  ) => Promise<{ readonly result: unknown } | undefined>;
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

  /** The members that can carry a change out, in the order in which they are asked; none: this one does. */
  function carriersOf(name: string): readonly string[] {
    return isElsewhere(name) ? holders(name) : [];
  }

  /** @throws SkeinError PEER_LOST when none of them can be reached. */
  async function forwarded(
    carriers: readonly string[],
    name: string,
    change: ForwardedChange,
  ): Promise<DeploymentView> {
    for (const member of carriers) {
      const answer = await ask(member, change);
      if (answer === undefined) continue;
      const view = DeploymentView.safeParse(answer.result);
      if (view.success) return view.data;
      throw new SkeinError('INTERNAL', `Member ${member} answered a change with something else.`);
    }
    const message = `No member that can change "${name}" is reached from here; nothing was changed.`;
    throw new SkeinError('PEER_LOST', message);
  }

  return {
    ...local,
    async deploy(request, actor) {
      const record = await registry.version(request.name, request.version);
      const taker = await placing.takerOf(record, request.settings, servesHere(request.name));
      if (taker === self()) return local.deploy(request, actor);
      const change = { change: 'deploy', parameters: [request], actor } as const;
      const others = carriersOf(request.name).filter((member) => member !== taker);
      return forwarded([taker, ...others], request.name, change);
    },
    async changeSettings(name, settings, actor) {
      const carriers = carriersOf(name);
      if (carriers.length === 0) return local.changeSettings(name, settings, actor);
      const change = { change: 'changeSettings', parameters: [name, settings], actor } as const;
      return forwarded(carriers, name, change);
    },
    async rollback(name, reason, actor) {
      const carriers = carriersOf(name);
      if (carriers.length === 0) return local.rollback(name, reason, actor);
      const change = { change: 'rollback', parameters: [name, reason], actor } as const;
      return forwarded(carriers, name, change);
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
