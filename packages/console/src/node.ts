/** The node that serves this page: calls with the key of this tab, and its events. */
import { createClient, type Client, type NodeEvent } from '@skein/api/client';
import type { SkeinError } from '@skein/api/errors';
import type { DeploymentView, HistoryView, RunSummary } from '@skein/api';
import { openSession, Store } from '@skein/ui';

export const session = openSession('skein-key');

let made: { readonly key: string | undefined; readonly client: Client } | undefined;

/** Calls of the management API. */
export function node(): Client {
  const key = session.key.value;
  if (made === undefined || made.key !== key) {
    made = { key, client: createClient({ url: location.origin, key }) };
  }
  return made.client;
}

/** A second of one deployment. */
export interface Sample {
  readonly p99Ms: number | null;
  readonly requestsPerSecond: number;
  /** Refusals so far, by code. */
  readonly refused: Readonly<Record<string, number>>;
}

export interface Deployed {
  readonly view: DeploymentView;
  /** Oldest first, one a second, of the last minute. */
  readonly samples: readonly Sample[];
}

/** `limited`: the key may see only jobs. `refused`: the stream of events waits for a key. */
export type Connection = 'connecting' | 'live' | 'lost' | 'limited' | 'refused';

export const connection = new Store<Connection>('connecting');
/** Why the stream of events waits for a key. */
export const refusal = new Store<SkeinError | undefined>(undefined);
/** By name, in the order of names. */
export const deployments = new Store<ReadonlyMap<string, Deployed>>(new Map());
/** Newest first. */
export const decisions = new Store<readonly HistoryView[]>([]);
/** The training run that changed last. */
export const movedRun = new Store<RunSummary | undefined>(undefined);

/** Seconds of samples that are kept. */
export const SAMPLES = 60;
const DECISIONS = 500;

/** Deployments of before a break that no event has named since. */
let unconfirmed = new Set<string>();

/** Removes the deployments that were undeployed while the stream was broken: no event reports it. */
export async function removeUndeployed(): Promise<void> {
  unconfirmed = new Set(deployments.value.keys());
  if (unconfirmed.size === 0) return;
  const { deployments: present } = await node().listDeployments();
  for (const { name } of present) unconfirmed.delete(name);
  deployments.set(new Map([...deployments.value].filter(([name]) => !unconfirmed.has(name))));
}

export function receive({ type, data }: NodeEvent): void {
  if (type === 'deployment') {
    unconfirmed.delete(data.name);
    const samples = deployments.value.get(data.name)?.samples ?? [];
    const next = new Map(deployments.value).set(data.name, { view: data, samples });
    deployments.set(new Map([...next].sort(([a], [b]) => (a < b ? -1 : 1))));
  } else if (type === 'undeployed') {
    const next = new Map(deployments.value);
    next.delete(data.name);
    deployments.set(next);
  } else if (type === 'history') addDecisions([data]);
  else if (type === 'run') movedRun.set(data);
}

export function addDecisions(entries: readonly HistoryView[]): void {
  const byId = new Map([...decisions.value, ...entries].map((entry) => [entry.id, entry]));
  decisions.set([...byId.values()].sort((a, b) => b.id - a.id).slice(0, DECISIONS));
}

/** A tab that was hidden for longer has received nothing of the time between. */
const GAP_MS = 5000;

let sampledAt = 0;

/** Takes a sample of every deployment, so that charts also advance without traffic. */
export function takeSamples(): void {
  if (deployments.value.size === 0 || document.hidden) return;
  const hasGap = performance.now() - sampledAt > GAP_MS;
  sampledAt = performance.now();
  const next = [...deployments.value].map(([name, { view, samples }]) => {
    const sample: Sample = {
      p99Ms: view.last.p99Ms,
      requestsPerSecond: view.last.requestsPerSecond,
      refused: refusedBy(view),
    };
    return [name, { view, samples: [...(hasGap ? [] : samples), sample].slice(-SAMPLES) }] as const;
  });
  deployments.set(new Map(next));
}

function refusedBy({ targets }: DeploymentView): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const { refused } of targets) {
    for (const [code, count] of Object.entries(refused)) sums[code] = (sums[code] ?? 0) + count;
  }
  return sums;
}
