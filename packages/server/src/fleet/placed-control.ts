/**
 * Changes of deployments in a fleet whose members hold different ones: a member that holds the
 * deployment carries the change out, and it is asked for by whichever member the operator has called.
 */
import { setTimeout as sleep } from 'node:timers/promises';
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

/** What is stored in the fleet is read here within this, in milliseconds, while the store is there. */
const FEED_MS = 100;
/** How long a stored deployment may take to be known here, in milliseconds. */
const FOLLOWED_MS = 5000;

const isLoss = (error: unknown): boolean =>
  error instanceof SkeinError && error.code === 'PEER_LOST';
/** Another change of the same deployment was first. */
const isOvertaken = (error: unknown): boolean =>
  error instanceof SkeinError && error.code === 'ROLLOUT_IN_PROGRESS';

/** Looks until it is so, or the time is over. */
async function becomes(isSo: () => boolean, ms: number): Promise<boolean> {
  for (let waitedMs = 0; !isSo(); waitedMs += FEED_MS) {
    if (waitedMs >= ms) return false;
    await sleep(FEED_MS, undefined, { ref: false });
  }
  return true;
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

  /** @returns undefined: it cannot be reached, and nothing was sent. @throws SkeinError as it does, or PEER_LOST. */
  async function asked(
    member: string,
    change: ForwardedChange,
  ): Promise<DeploymentView | undefined> {
    const answer = await ask(member, change);
    if (answer === undefined) return undefined;
    const view = DeploymentView.safeParse(answer.result);
    if (view.success) return view.data;
    throw new SkeinError('INTERNAL', `Member ${member} answered a change with something else.`);
  }

  /** @throws SkeinError PEER_LOST when none of them can be reached. */
  async function forwarded(
    carriers: readonly string[],
    name: string,
    change: ForwardedChange,
  ): Promise<DeploymentView> {
    for (const member of carriers) {
      const view = await asked(member, change);
      if (view !== undefined) return view;
    }
    const message = `No member that can change "${name}" is reached from here; nothing was changed.`;
    throw new SkeinError('PEER_LOST', message);
  }

  return {
    ...local,
    async deploy(request, actor) {
      const record = await registry.version(request.name, request.version);
      const change = { change: 'deploy', parameters: [request], actor } as const;
      const { name } = request;
      const wasStored = placing.isStored(name, record.version);
      // A deploy may be asked for twice: what serves already is not loaded again.
      const lost = new Set<string>();
      for (;;) {
        const taker = await placing.takerOf(record, request.settings, servesHere(name), lost);
        try {
          if (taker === self()) return await local.deploy(request, actor);
          const view = await asked(taker, change);
          if (view !== undefined) return view;
        } catch (error) {
          if (!isLoss(error) && (lost.size === 0 || !isOvertaken(error))) throw error;
          // The one that was lost has stored it before, or meanwhile, because it was only out of reach.
          const isMade = (): boolean => !wasStored && placing.isStored(name, record.version);
          if (await becomes(isMade, isLoss(error) ? FEED_MS : FOLLOWED_MS)) {
            await becomes(() => local.views().some((view) => view.name === name), FOLLOWED_MS);
            return local.view(name);
          }
          if (!isLoss(error)) throw error;
        }
        lost.add(taker);
      }
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
