/** A coordinator in a folder of its own, and sites whose answers a test gives. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as pathOf } from 'node:path';
import { mlp, writeModel } from '@skein/onnx';
import { type ArtifactStore, openFileArtifacts } from '@skein/state';
import { assemblePublic } from '@skein/train';
import { onTestFinished } from 'vitest';
import { join } from '../../identity/handshake.ts';
import { invitationOf } from '../../identity/invitation.ts';
import { createIdentity, type Identity, pseudonymOf } from '../../identity/keys.ts';
import { digestOf, sha256 } from '@skein/api/canonical';
import type { Plan, PlanDraft } from '../../plan/plan.ts';
import { openFederationStore } from '../../store/open-store.ts';
import { draft } from '../../testing/plans.ts';
import { type Arrival, type Channel, openChannel } from '../../transport/channel.ts';
import { memoryChunks } from '../../transport/chunks.ts';
import { type Connection, connectionPair } from '../../transport/connection.ts';
import type { MessageOf, Place } from '../../transport/messages.ts';
import type { Coordinator } from '../coordinator.ts';
import { openCoordinator } from '../open-coordinator.ts';
import { firstState } from '../rounds/server-state.ts';
import { putArtifact, readArtifact } from '../storage/uploads.ts';

export type Bytes = Uint8Array<ArrayBuffer>;

export interface TestFederation {
  readonly coordinator: Coordinator;
  /** A draft of a plan with this federation's model. */
  readonly draft: PlanDraft;
  readonly artifacts: ArtifactStore;
  /** Folder of the coordinator. */
  readonly folder: string;
  readonly faults: unknown[];
  now: number;
  /** How often sites are sent the status, from the next restart on. */
  statusMs: number | undefined;
  /** How long what is over is kept, from the next restart on. */
  keptMs: number | undefined;
  /**
   * Closes it wherever it is, which stores nothing, and opens another one on the same folder.
   * @param between called while it is closed.
   */
  restart(between?: () => void): Promise<void>;
}

export async function startFederation(more: Partial<PlanDraft> = {}): Promise<TestFederation> {
  const folder = mkdtempSync(pathOf(tmpdir(), 'skein-federation-'));
  const identity = await createIdentity();
  const faults: unknown[] = [];
  const artifacts = await openFileArtifacts(pathOf(folder, 'artifacts'), { shared: true });
  const opened: (() => Promise<void>)[] = [];
  const open = async (): Promise<Coordinator> => {
    const clock = () => at.now;
    const store = await openFederationStore(pathOf(folder, 'federations.sqlite'), { clock });
    const coordinator = await openCoordinator({
      store,
      artifacts,
      identity,
      clock,
      folder: pathOf(folder, 'uploads'),
      statusMs: at.statusMs,
      keptMs: at.keptMs,
      onFault: (error) => faults.push(error),
    });
    opened.push(async () => {
      await coordinator.close();
      await store.close();
    });
    return coordinator;
  };
  const base = draft({
    strategy: { name: 'fedavg' },
    privacy: { mode: 'none' },
    aggregation: { kind: 'none', coordinatorSeesUpdates: true },
    sites: { minimum: 2 },
    ...more,
  });
  let parameters = 0;
  const network = ({ inputs, outputs }: { inputs: number; outputs: number }) => {
    parameters = (inputs + 1) * outputs;
    return mlp({ sizes: [inputs, outputs], seed: 1 });
  };
  const model = new Uint8Array(writeModel(assemblePublic(base.data, network, 1)));
  let coordinator: Coordinator;
  const at: TestFederation = {
    get coordinator() {
      return coordinator;
    },
    draft: { ...base, model: { digest: await sha256(model), parameters } },
    artifacts,
    folder,
    faults,
    now: Date.UTC(2026, 0, 1),
    statusMs: undefined,
    keptMs: undefined,
    async restart(between = () => {}) {
      await opened.pop()!();
      between();
      coordinator = await open();
    },
  };
  coordinator = await open();
  await putArtifact(artifacts, model);
  onTestFinished(async () => {
    for (const close of opened) await close();
    rmSync(folder, { recursive: true, force: true });
  });
  return at;
}

/** Sum of the changes of a federation to the parameters of its model. */
export async function gainedBy(at: TestFederation, run: string): Promise<number[]> {
  const { plan, parameters } = await at.coordinator.view(run);
  const model = await readArtifact(at.artifacts, plan.model.digest);
  const first = firstState(plan, model).parameters;
  const last = new Float32Array((await readArtifact(at.artifacts, parameters!)).buffer);
  return [...last].map((each, i) => each - first[i]!);
}

export interface ScriptedAnswer {
  readonly fields: MessageOf<'answer'>['fields'];
  readonly payload?: Bytes | undefined;
}
/** @returns undefined: the site does not answer. */
export type Script = (task: {
  readonly run: string;
  readonly place: Place;
  readonly fields: MessageOf<'task'>['fields'];
  readonly payload: Bytes | undefined;
  readonly plan: Plan;
  readonly planDigest: string;
}) => Promise<ScriptedAnswer | undefined> | ScriptedAnswer | undefined;

export interface ScriptedSite {
  readonly identity: Identity;
  readonly pseudonym: string;
  readonly channel: Channel;
  /** Everything that came, tasks included. */
  readonly arrivals: Arrival[];
  /** Settles when the connection ends, with the coordinator's reason. */
  readonly ended: Promise<unknown>;
}

export interface ScriptedSiteOptions {
  readonly identity?: Identity;
  /** Answers that were given, over connections: as a site's memory. */
  readonly memory?: Map<string, ScriptedAnswer>;
  readonly connection?: Connection;
}

/** Joins, and answers tasks; each place once, from its memory after that. */
export async function joinScripted(
  at: Pick<TestFederation, 'coordinator'>,
  invitation: string,
  script: Script,
  options: ScriptedSiteOptions = {},
): Promise<ScriptedSite> {
  const { memory = new Map<string, ScriptedAnswer>() } = options;
  const identity = options.identity ?? (await createIdentity());
  let { connection } = options;
  if (connection === undefined) {
    const [near, far] = connectionPair();
    at.coordinator.connect(far);
    connection = near;
  }
  const channel = openChannel(connection, memoryChunks(2 ** 26));
  const parsed = invitationOf(invitation);
  const { plan, planDigest } = await join(channel, { identity, invitation: parsed, accept() {} });
  const arrivals: Arrival[] = [];

  async function answer(task: MessageOf<'task'>, payload: Bytes | undefined): Promise<void> {
    const { place, fields } = task;
    const key = JSON.stringify(place);
    const given =
      memory.get(key) ??
      (await script({ run: parsed.run, place, fields, payload, plan, planDigest }));
    if (given === undefined) return;
    memory.set(key, given);
    await sendAnswer({ channel, identity }, parsed.run, await digestOf(plan), place, given);
  }
  const ended = (async () => {
    for (let next = await channel.receive(); next; next = await channel.receive()) {
      arrivals.push(next);
      const { message, payload } = next;
      if (message.kind === 'entry') {
        const { sequence, hash } = message.entry as { sequence: number; hash: string };
        const signature = await identity.sign('witness', hash);
        await channel.send({ kind: 'witness', sequence, hash, signature });
      }
      if (message.kind === 'task') answer(message, await payload?.read()).catch(() => {});
    }
    return undefined;
  })().catch((error: unknown) => error);
  return { identity, pseudonym: await pseudonymOf(identity.key), channel, arrivals, ended };
}

export async function sendAnswer(
  { channel, identity }: Pick<ScriptedSite, 'channel' | 'identity'>,
  run: string,
  plan: string,
  place: Place,
  { fields, payload }: ScriptedAnswer,
): Promise<void> {
  const digest = payload === undefined ? undefined : await sha256(payload);
  const signature = await identity.sign('answer', { run, plan, place, fields, payload: digest });
  await channel.send({ kind: 'answer', place, fields, signature }, payload);
}

export const floats = (...numbers: number[]): Bytes =>
  new Uint8Array(new Float32Array(numbers).buffer);

/** An update that adds the same number to each parameter, with a weight. */
export const adds =
  (number: number, weight = 1): Script =>
  ({ payload }) => ({
    fields: { weight },
    payload: floats(...new Float32Array(payload!.length / 4).fill(number)),
  });
