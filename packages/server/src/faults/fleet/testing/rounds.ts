/** The promises of a fleet, checked after each fault. */
import { setTimeout as sleep } from 'node:timers/promises';
import { GraphBuilder, seededRandom, tensor, writeModel } from '@skein/onnx';
import { outcomeOf } from '../../../testing/outcome.ts';
import { type Aim, type Fault, type FaultKind, FAULTS } from './faults.ts';
import { openScene, type Scene, type Site } from './scene.ts';
import {
  adoptEverywhere,
  agree,
  is,
  judgeRollout,
  lastEntry,
  seeEachOther,
  statesOf,
  until,
} from './settled.ts';
import { startSubmissions } from './submissions.ts';
import { ask, startTraffic, type Traffic } from './traffic.ts';

/** Requests per second of the limited key, over all members. */
const RATE = 30;
/** Requests that a burst, and members that start, may add to it. */
const BURST = 2 * RATE;
/** Outcomes of a request. Any other one is a lost request, or a false answer. */
const CODED = new Set([
  'answered',
  'DEADLINE_UNREACHABLE',
  'DEADLINE_EXCEEDED',
  'QUEUE_FULL',
  'NO_REPLICA',
  'PEER_LOST',
]);

/** Codes with which a change may be refused. */
const REFUSED = new Set([
  'STORE_UNREACHABLE',
  'STORE_REPLACED',
  'REVOCATION_NOT_DURABLE',
  'PEER_LOST',
]);

/** Outcomes of a submitted or cancelled job. */
const SUBMITTED = new Set(['succeeded', 'STORE_UNREACHABLE', 'STORE_REPLACED']);

export interface RoundLine {
  readonly round: number;
  readonly kind: string;
  readonly seed: number;
  readonly target: number;
  readonly ms: number;
  readonly actions: Readonly<Record<string, string>>;
  readonly outcomes: Readonly<Record<string, number>>;
  /** Admitted requests of the limited key, as a share of its limit. */
  readonly admitted: number;
  readonly rollout: string;
  readonly jobs: { readonly accepted: number; readonly lost: number };
  readonly broken: readonly string[];
}

export interface RoundsOptions {
  readonly folder: string;
  readonly rounds: number;
  readonly seed: number;
  readonly kinds?: readonly string[] | undefined;
  readonly log: (line: Pick<RoundLine, 'round' | 'kind' | 'seed' | 'broken'>) => void;
}

/** y = w · x, or √x, which is NaN for a negative x. */
function model(name: string, w: number, isBad = false): Uint8Array<ArrayBuffer> {
  const graph = new GraphBuilder(name);
  const x = graph.input('x', 'float32', ['batch', 1]);
  const weight = graph.initializer('w', tensor('float32', [1], Float32Array.of(w)));
  const [scaled] = graph.node('Mul', [x, weight]);
  const [y] = graph.node(isBad ? 'Sqrt' : 'Identity', [scaled], {}, { outputs: ['y'] });
  graph.output(y, 'float32', ['batch', 1]);
  return writeModel(graph.model()) as Uint8Array<ArrayBuffer>;
}

type Plan = NonNullable<Parameters<Site['client']['deploy']>[0]['plan']>;

const SETTINGS = { objective: { latencyMs: 2000 }, oversubscribe: true } as const;
const CANARY: Plan = { strategy: 'canary', steps: [50], stepMs: 1500, minRequests: 10 };

/** @returns undefined; after the first round that breaks a promise, the logs of the members. */
export async function runRounds(options: RoundsOptions): Promise<string[] | undefined> {
  const kinds = (options.kinds ?? Object.keys(FAULTS)) as readonly FaultKind[];
  const unknown = kinds.find((kind) => !(kind in FAULTS));
  if (unknown !== undefined) throw new Error(`There is no fault "${unknown}".`);
  const scene = await openScene(options.folder);
  try {
    const fleet = await prepare(scene);
    for (let round = 0; round < options.rounds; round++) {
      const seed = options.seed + round;
      const kind = kinds[round % kinds.length]!;
      const line = await runRound(fleet, kind, round, seed).catch(
        (error: unknown): Pick<RoundLine, 'round' | 'kind' | 'seed' | 'broken'> => ({
          round,
          kind,
          seed,
          broken: [String(error)],
        }),
      );
      options.log(line);
      if (line.broken.length > 0) return scene.sites.map(({ node }) => node.log());
    }
    return undefined;
  } finally {
    await scene.close();
  }
}

interface Fleet {
  readonly scene: Scene;
  /** Keys that callers use all the time. */
  readonly keys: { readonly steady: string; readonly limited: string };
  /** Secrets of keys that were revoked, the last ones last. */
  readonly revoked: string[];
  versions: number;
}

async function deploy(
  { client }: Site,
  name: string,
  content: Uint8Array<ArrayBuffer>,
  more: Pick<Parameters<Site['client']['deploy']>[0], 'plan' | 'settings'> = {},
): Promise<string> {
  const { version } = await client.importModel({ name, content });
  await client.deploy({ name, version, ...more });
  return version;
}

async function prepare(scene: Scene): Promise<Fleet> {
  const [first, second] = scene.sites as [Site, Site];
  for (const name of ['steady', 'spread', 'rolled']) {
    await deploy(first, name, model(name, 1), { settings: SETTINGS });
  }
  await deploy(second, 'far', model('far', 1), { settings: { ...SETTINGS, isolation: 'process' } });
  const key = { tenant: 't', scopes: ['infer' as const] };
  const steady = await first.client.createKey({ ...key, label: 'steady', ratePerSecond: 1e6 });
  const limited = await first.client.createKey({ ...key, label: 'limited', ratePerSecond: RATE });
  const keys = { steady: steady.secret, limited: limited.secret };
  for (const site of scene.sites) {
    for (const name of ['steady', 'spread', 'rolled', 'far']) {
      await until(`${name} at ${site.site}`, async () =>
        is(await ask(site, name, keys.steady), 'answered'),
      );
    }
  }
  return { scene, keys, revoked: [], versions: 1 };
}

async function runRound(
  fleet: Fleet,
  kind: FaultKind,
  round: number,
  seed: number,
): Promise<RoundLine> {
  const { scene, keys, revoked } = fleet;
  const { sites } = scene;
  const seeded = seededRandom(seed);
  const random = (): number => seeded.next();
  const any = (): Site => sites[Math.floor(random() * sites.length)]!;
  const fault: Fault = FAULTS[kind];
  const [target, other] = shuffled(sites, random) as [Site, Site];
  const aim: Aim = { target, other, strength: random() };
  const isBad = random() < 0.5;
  const isEarly = random() < 0.6;
  const lastsMs = 1500 + 4500 * random();
  const [delayMs, roller, deployer, revoker] = [1500 * random(), any(), any(), any()];
  const w = ++fleet.versions;
  const begun = performance.now();
  const broken: string[] = [];
  const actions: Record<string, string> = {};

  const { id, secret } = await any().client.createKey({
    label: 'given',
    tenant: 't',
    scopes: ['infer'],
  });
  for (const site of sites) {
    await until(`a new key at ${site.site}`, async () =>
      is(await ask(site, 'spread', secret), 'answered'),
    );
  }
  const before = await lastEntry(any());
  const traffic = startTraffic(
    sites.flatMap((site) =>
      ['steady', 'steady', 'rolled', 'rolled', 'far', 'limited', 'limited'].map((name) => {
        const isLimited = name === 'limited';
        return {
          site,
          name,
          model: isLimited ? 'steady' : name,
          key: isLimited ? keys.limited : keys.steady,
        };
      }),
    ),
  );
  const trafficFrom = performance.now();
  const submissions = startSubmissions(sites);
  const watch = watchKey(sites, secret, broken);

  const act = async (name: string, call: Promise<unknown>): Promise<void> => {
    actions[name] = await outcomeOf(call);
  };
  const roll = () =>
    act('rollout', deploy(roller, 'rolled', model('rolled', w, isBad), { plan: CANARY }));
  if (isEarly) await roll();
  const faultFrom = performance.now();
  await fault.begin(scene, aim);
  await sleep(delayMs);
  const acting = Promise.all([
    isEarly ? undefined : roll(),
    act('deploy', deploy(deployer, 'spread', model('spread', w))),
    act('revoke', revoker.client.revokeKey({ id })),
  ]);
  const answeredBefore = answeredBySite(sites, traffic);
  await sleep(lastsMs);
  const answeredAfter = answeredBySite(sites, traffic);
  await fault.end(scene, aim);
  const faultTo = performance.now();
  await acting;
  for (const [name, outcome] of Object.entries(actions)) {
    if (!isOutcome(outcome, fault)) broken.push(`the ${name} ended with: ${outcome}`);
  }

  // Every member that stood has answered meanwhile.
  for (const [index, { site }] of sites.entries()) {
    const isDown = site === target.site && (fault.kills === true || fault.stops === true);
    if (!isDown && answeredAfter[index]! <= answeredBefore[index]!) {
      broken.push(`member ${site} answered nothing during the fault`);
    }
  }

  let rollout = 'none';
  try {
    if (fault.rewinds === true || fault.strays === true) await adoptEverywhere(scene);
    await until('the store is current everywhere', async () => {
      const nodes = await Promise.all(sites.map(({ client }) => client.getNode({})));
      return nodes.every(({ store }) => store?.state === 'current');
    });
    await until('all members see each other', () => seeEachOther(sites));
    await until('the rollout has ended', async () => {
      const views = await Promise.all(
        sites.map(({ client }) => client.getDeployment({ name: 'rolled' })),
      );
      return views.every(
        ({ rollout: it }) => it === undefined || /finished|rolled-back/.test(it.phase),
      );
    });
    for (const name of ['steady', 'spread', 'rolled']) {
      await until(`one state of ${name}`, async () => agree(await statesOf(sites, name)));
    }
    await until('one version answers', async () => {
      const answers = await Promise.all(sites.map((site) => ask(site, 'spread', keys.steady)));
      return answers.every(
        ({ version }) => version !== undefined && version === answers[0]!.version,
      );
    });
    // A revocation that could not be made is made now.
    if (
      !/succeeded|REVOCATION_NOT_DURABLE/.test(actions['revoke'] ?? '') ||
      fault.rewinds === true
    ) {
      if (fault.rewinds !== true || actions['revoke'] !== 'succeeded')
        await any().client.revokeKey({ id });
    }
    revoked.push(secret);
    for (const site of sites) {
      for (const each of [secret, ...revoked.slice(-8)]) {
        await until(`a revoked key is refused by ${site.site}`, async () =>
          is(await ask(site, 'spread', each), 'KEY_INVALID'),
        );
      }
    }
    if (fault.rewinds !== true) rollout = await judgeRollout(any(), before, isBad, broken);
  } catch (error) {
    broken.push(error instanceof Error ? error.message : String(error));
    for (const name of ['spread', 'rolled', 'far']) {
      broken.push(`${name}: ${JSON.stringify(await statesOf(sites, name).catch(String))}`);
    }
  }
  watch.stop();
  await traffic.stop();
  await submissions.stop();
  const jobs = { accepted: submissions.count(), lost: NaN };
  try {
    // An older copy that is adopted has lost what was accepted after it was made.
    const isExempt = (from: number, to: number): boolean =>
      fault.rewinds === true && to > faultFrom && from < faultTo;
    jobs.lost = await submissions.lost(any(), isExempt);
    if (jobs.lost > 0) broken.push(`${jobs.lost} of ${jobs.accepted} accepted jobs are lost`);
  } catch (error) {
    broken.push(String(error));
  }
  const seconds = (performance.now() - trafficFrom) / 1000;
  let admitted = 0;
  const outcomes: Record<string, number> = {};
  for (const [label, count] of traffic.outcomes) {
    const [site, name, ...rest] = label.split(' ') as [string, string, ...string[]];
    const outcome = rest.join(' ');
    outcomes[outcome] = (outcomes[outcome] ?? 0) + count;
    if (name === 'limited' && outcome === 'answered') admitted += count;
    const mayBreak = fault.kills === true && Number(site) === target.site;
    const isAllowed =
      CODED.has(outcome) ||
      (name === 'limited' && outcome === 'RATE_LIMITED') ||
      (mayBreak && outcome.startsWith('connection lost'));
    if (!isAllowed) broken.push(`${count} requests for ${name} at member ${site}: ${outcome}`);
  }
  for (const [label, count] of submissions.outcomes) {
    const [site, ...rest] = label.split(' ');
    const outcome = rest.join(' ');
    const mayBreak =
      fault.kills === true && Number(site) === target.site && outcome.startsWith('connection lost');
    if (!SUBMITTED.has(outcome) && !mayBreak) {
      broken.push(`${count} calls for jobs at member ${site}: ${outcome}`);
    }
  }
  const bound = (fault.parts === true ? 1.5 : 1.1) * RATE * seconds + BURST;
  if (admitted > bound)
    broken.push(`${admitted} admitted requests of a limit of ${RATE} a second in ${seconds} s`);
  return {
    round,
    kind,
    seed,
    target: target.site,
    ms: Math.round(performance.now() - begun),
    actions,
    outcomes,
    admitted: Number((admitted / (RATE * seconds)).toFixed(3)),
    jobs,
    rollout: `${isBad ? 'bad' : 'good'}: ${rollout}`,
    broken,
  };
}

/** Whether a change may end so: it was made, or refused with a code that gives the reason. */
function isOutcome(outcome: string, { kills, rewinds }: Fault): boolean {
  if (outcome === 'succeeded' || REFUSED.has(outcome)) return true;
  // The store has lost what a change has begun.
  if (rewinds === true && outcome === 'ROLLED_BACK') return true;
  return kills === true && outcome === 'NODE_UNREACHABLE';
}

function shuffled<T>(of: readonly T[], random: () => number): T[] {
  return of
    .map((value) => ({ value, at: random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ value }) => value);
}

const answeredBySite = (sites: readonly Site[], traffic: Traffic): number[] =>
  sites.map(({ site }) => traffic.of(site, 'steady', 'answered'));

/** A key that a member has refused is never admitted there again. */
function watchKey(sites: readonly Site[], secret: string, broken: string[]): { stop(): void } {
  let isStopped = false;
  for (const site of sites) {
    void (async () => {
      let isRefused = false;
      while (!isStopped) {
        const { outcome } = await ask(site, 'spread', secret);
        if (outcome === 'KEY_INVALID') isRefused = true;
        else if (outcome === 'answered' && isRefused) {
          broken.push(`member ${site.site} admits a key that it has refused`);
          return;
        }
        await sleep(100);
      }
    })();
  }
  return { stop: () => void (isStopped = true) };
}
