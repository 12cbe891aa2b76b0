/**
 * Changes of deployments in a fleet whose members hold different ones: a member that holds the
 * deployment carries the change out, and it is asked for by whichever member the operator has called.
 *
 * A member that is lost during a change may have made it, or may still make it when it was only out of
 * reach. Each change therefore names the revision that it is for: the next member is asked with the
 * revision that the store has then, and the one before is refused by its own.
 *
 * New settings are a wish of the operator that the fleet stores: they need no member that is there. One that
 * holds the deployment tries them before it stores them.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { DeploymentView, SkeinError } from '@skein/api';
import type { ForwardedChange } from '@skein/fleet';
import type { DeploymentControl, Registry } from '@skein/serving';
import type { DeploymentRecord } from '@skein/state';
import { type FleetPlacing, isInProgress } from './placing.ts';

export interface PlacedControlOptions {
  readonly local: DeploymentControl;
  readonly registry: Pick<Registry, 'version'>;
  /** A deployment as the fleet has stored it now. @throws SkeinError STORE_UNREACHABLE. */
  readonly stored: (deployment: string) => Promise<DeploymentRecord | undefined>;
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

interface Carrying {
  /** Whether a change that no member has acknowledged was made. */
  readonly isMade?: (before: DeploymentRecord, now: DeploymentRecord) => boolean;
  /** Stores the change for the member that holds the deployment next; absent: a member has to carry it out. */
  readonly store?: () => Promise<DeploymentView>;
}

/** A stored change of the fleet is read here within this, in milliseconds, while the store is there. */
const FEED_MS = 100;
/** How long a stored deployment may take to be known here, in milliseconds. */
const FOLLOWED_MS = 5000;
/** Until a deployment whose last holder was lost is loaded by another one: its lease ends, and a model loads. */
const HELD_AGAIN_MS = 30_000;
/** How often a change is asked for again because the deployment has changed meanwhile, such as by a step of a rollout. */
const OVERTAKEN_TRIES = 3;

const isLoss = (error: unknown): boolean =>
  error instanceof SkeinError && error.code === 'PEER_LOST';
/** Another change of the same deployment was first. */
const isOvertaken = (error: unknown): boolean =>
  error instanceof SkeinError && error.code === 'ROLLOUT_IN_PROGRESS';

/** Polls until it is so, or the time is over. */
async function becomes(isSo: () => boolean, ms: number): Promise<boolean> {
  for (let waitedMs = 0; !isSo(); waitedMs += FEED_MS) {
    if (waitedMs >= ms) return false;
    await sleep(FEED_MS, undefined, { ref: false });
  }
  return true;
}

export function placedControl(options: PlacedControlOptions): DeploymentControl {
  const { local, registry, stored, placing, self, holders, ask } = options;
  const isElsewhere = (name: string): boolean =>
    local.views().some((view) => view.name === name && view.status === 'elsewhere');
  const servesHere = (name: string): boolean =>
    local
      .views()
      .some(
        (view) => view.name === name && !['elsewhere', 'unloaded', 'failed'].includes(view.status),
      );

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

  /**
   * Asks the members that hold a deployment for a change, until one of them has carried it out.
   * @throws SkeinError PEER_LOST when none of them can be reached, and the change needs one.
   */
  async function carried(
    name: string,
    change: Omit<ForwardedChange, 'revision'>,
    { isMade, store }: Carrying,
  ): Promise<DeploymentView> {
    const passed = new Set<string>();
    const next = (): string | undefined => holders(name).find((member) => !passed.has(member));
    let before = await stored(name);
    let isLost = false;
    let overtaken = 0;
    for (;;) {
      const asking: ForwardedChange = { ...change, revision: before?.revision ?? 0 };
      if (!isElsewhere(name)) return carryOut(local, asking);
      const member = next();
      if (member === undefined && store === undefined) {
        const isHeld = (): boolean => next() !== undefined || !isElsewhere(name);
        if (isLost && (await becomes(isHeld, HELD_AGAIN_MS))) continue;
        const message = `No member that can change "${name}" is reached from here; nothing was changed.`;
        throw new SkeinError('PEER_LOST', message);
      }
      try {
        if (member === undefined) return await store!();
        const view = await asked(member, asking);
        if (view !== undefined) return view;
        passed.add(member);
      } catch (error) {
        if (!isLoss(error) && !isOvertaken(error)) throw error;
        const now = await stored(name);
        if (isLoss(error)) {
          isLost = true;
          passed.add(member!);
        } else if (now?.revision === before?.revision || ++overtaken > OVERTAKEN_TRIES) throw error;
        if (isLost && before !== undefined && now !== undefined && isMade?.(before, now) === true) {
          await becomes(() => revisionOf(local, name) >= now.revision, FOLLOWED_MS);
          return local.view(name);
        }
        before = now;
      }
    }
  }

  return {
    ...local,
    check(request) {
      // Another member may load it.
      if (servesHere(request.name)) local.check(request);
    },
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
          const revision = (await stored(name))?.revision ?? 0;
          const view = await asked(taker, { ...change, revision });
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
      if (!isElsewhere(name)) return local.changeSettings(name, settings, actor);
      const change = { change: 'changeSettings', parameters: [name, settings], actor } as const;
      // The same settings a second time change nothing.
      return carried(name, change, { store: () => local.changeSettings(name, settings, actor) });
    },
    async rollback(name, reason, actor) {
      if (!isElsewhere(name)) return local.rollback(name, reason, actor);
      const change = { change: 'rollback', parameters: [name, reason], actor } as const;
      return carried(name, change, { isMade: isRolledBack });
    },
  };
}

/** Whether a deployment was rolled back between two reads. A rollout that is still in progress has only taken a step. */
function isRolledBack(before: DeploymentRecord, now: DeploymentRecord): boolean {
  const rollout = before.rollout;
  if (rollout === undefined || !isInProgress(rollout)) return now.revision !== before.revision;
  return now.rollout?.id === rollout.id && now.rollout.phase === 'rolled-back';
}

/** The revision of a deployment in this member's view; 0: it has none. */
function revisionOf(local: DeploymentControl, name: string): number {
  return local.views().find((view) => view.name === name)?.revision ?? 0;
}

/**
 * Carries out what another member asks for.
 * @throws SkeinError as the change does; USAGE for an unknown one; ROLLOUT_IN_PROGRESS if the deployment
 *   is not at the revision that the change is for.
 */
export async function carryOut(
  local: DeploymentControl,
  { change, parameters, actor, revision }: ForwardedChange,
): Promise<DeploymentView> {
  const carrying = { deploy: 1, changeSettings: 2, rollback: 2 } as const;
  if (!Object.hasOwn(carrying, change) || parameters.length !== carrying[change]) {
    throw new SkeinError('USAGE', `A member asked for the change "${change}", which is unknown.`);
  }
  if (revision !== undefined) {
    const [first] = parameters as readonly [string | { readonly name: string }];
    const name = typeof first === 'string' ? first : first.name;
    const here = (): number => revisionOf(local, name);
    // The revision, or the removal, may be about to arrive.
    await becomes(() => (revision === 0 ? here() === 0 : here() >= revision), FOLLOWED_MS);
    if (here() !== revision) {
      const message = `The change is for revision ${revision} of "${name}", which is at revision ${here()}.`;
      throw new SkeinError('ROLLOUT_IN_PROGRESS', message);
    }
  }
  const carry = local[change] as (...all: readonly unknown[]) => Promise<DeploymentView>;
  return carry(...parameters, actor);
}
