/**
 * A model on a device with Node: answers in a child process, keeps its bundle current, and asks a node where the policy
 * allows it. Each version has a process of its own, so an old one leaves no memory behind, and a crash ends no answer but
 * its own.
 */
import { createClient, type Client } from '@skein/api/client';
import { SkeinError } from '@skein/api/errors';
import { tensor, type Tensor, type TensorMap } from '@skein/onnx';
import { nativeRuntime, RuntimeFailure, type Session } from '@skein/runtime';
import { env } from 'onnxruntime-common';
import { barrierOf, decide, type Asked, type RemoteState } from '../hybrid/policy.ts';
import type { Bytes, Source } from '../trust/source.ts';
import { openUpdater, type UpdateOutcome } from '../update/updater.ts';
import { diskStorage } from './disk-storage.ts';

/** Runs by which the p99 is estimated, and how many there must be. */
const WINDOW = 200;
const LEAST_RUNS = 20;
/** How long a node that cannot be reached is left alone, in milliseconds. */
const AWAY_MS = 5000;

export interface EdgeOptions {
  /** Name of the bundle, and of the deployment on the node. */
  readonly model: string;
  /** Where the publisher's files are. */
  readonly source: Source;
  /** The root that the application brings. */
  readonly pinnedRoot: Bytes;
  /** Folder of this device: one process at a time. */
  readonly folder: string;
  /** The node that answers in place of the device. Default: none. */
  readonly server?: { readonly url: string; readonly key?: string | undefined } | undefined;
  /** Threads of the session. Default: 1. */
  readonly threads?: number;
}

export interface EdgeInferOptions {
  /** The input must not leave the device. Default: false. */
  readonly private?: boolean;
  /** Milliseconds within which the answer counts; default: the bundle's. */
  readonly deadlineMs?: number | undefined;
}

export interface EdgeAnswer {
  readonly outputs: TensorMap;
  readonly where: 'local' | 'remote';
  readonly why: string;
  /** The version of the bundle, or of the deployment. */
  readonly version: string;
  readonly tookMs: number;
}

export interface Edge {
  /** The installed version; undefined before the first update. */
  readonly version: number | undefined;
  /** Failed versions, which are not installed again. */
  readonly failed: readonly { readonly version: number; readonly reason: string }[];
  /** @throws SkeinError EDGE_NOT_ANSWERED; of the node; RuntimeFailure `run` where the model refuses the input. */
  infer(inputs: TensorMap, options?: EdgeInferOptions): Promise<EdgeAnswer>;
  /** Installs the newest version, if there is another. @throws SkeinError as `Updater.update`. */
  update(): Promise<UpdateOutcome>;
  close(): Promise<void>;
}

/** Opens what is installed, without a network. */
export async function createEdge(options: EdgeOptions): Promise<Edge> {
  const { model, source, pinnedRoot, folder, server, threads = 1 } = options;
  const open = (bytes: Bytes): Promise<Session> =>
    nativeRuntime.open({ bytes }, { device: 'cpu', threads, isolation: 'process' });
  const updater = await openUpdater({
    storage: diskStorage(folder),
    source,
    pinnedRoot,
    name: model,
    backend: 'native',
    runtimeVersion: env.versions.node ?? env.versions.common,
    open,
  });
  const client = server && createClient(server);
  let session: Session | undefined;
  let reason: string | undefined;
  let retryAt = 0;
  let runs: number[] = [];

  /** One run at a time, and no run while the version changes. */
  let last: Promise<unknown> = Promise.resolve();
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = last.then(work);
    last = done.catch(() => undefined);
    return done;
  }

  /** Opens the active version in a process of its own; one that cannot be opened gives way. */
  async function load(): Promise<void> {
    await session?.close();
    session = undefined;
    runs = [];
    for (;;) {
      const { active } = updater;
      if (active === undefined) return;
      try {
        session = await open(active.model.slice());
        reason = undefined;
        return;
      } catch (error) {
        reason = `version ${active.manifest.version} cannot be loaded: ${(error as Error).message}`;
        if (!(await updater.faulted(reason))) return;
      }
    }
  }

  /** @returns undefined if the version has failed, and another one or none is active now. */
  async function runHere(inputs: TensorMap): Promise<TensorMap | undefined> {
    if (session === undefined) return undefined;
    const from = performance.now();
    try {
      const { outputs } = await session.run(inputs);
      runs = [...runs, performance.now() - from].slice(-WINDOW);
      // The answer counts, also where the disk cannot take that it was given.
      await updater.answered().catch(() => undefined);
      return outputs;
    } catch (error) {
      // The model refuses this input: another version might not, and the caller decides.
      if (!(error instanceof RuntimeFailure) || error.kind === 'run') throw error;
      await updater.faulted(error.message);
      await load();
      return undefined;
    }
  }

  const remoteState = (): RemoteState => ({
    isConfigured: client !== undefined,
    isAllowed: updater.active?.manifest.offload.allowed ?? true,
    retryAt,
  });

  async function runThere(
    asked: Asked,
    inputs: TensorMap,
  ): Promise<Omit<EdgeAnswer, 'why' | 'tookMs'>> {
    const barrier = barrierOf(asked, remoteState(), Date.now());
    if (barrier !== undefined) throw new SkeinError('EDGE_NOT_ANSWERED', `${model}: ${barrier}.`);
    try {
      return { where: 'remote', ...(await askNode(client!, model, inputs, asked)) };
    } catch (error) {
      const isAway = error instanceof SkeinError && error.row.kind !== 'user';
      if (isAway) retryAt = Date.now() + (error.retryAfterMs ?? AWAY_MS);
      throw error;
    }
  }

  async function infer(inputs: TensorMap, given: EdgeInferOptions): Promise<EdgeAnswer> {
    const from = performance.now();
    const deadlineMs = given.deadlineMs ?? updater.active?.manifest.offload.deadlineMs;
    const asked: Asked = { isPrivate: given.private ?? false, deadlineMs };
    const answered = (answer: Omit<EdgeAnswer, 'why' | 'tookMs'>, why: string): EdgeAnswer => ({
      ...answer,
      why,
      tookMs: performance.now() - from,
    });
    const local = { isReady: session !== undefined, reason, p99Ms: p99Of(runs) };
    const decision = decide(asked, local, remoteState(), Date.now());
    if (decision.where === 'refused') {
      throw new SkeinError('EDGE_NOT_ANSWERED', `${model}: ${decision.why}.`);
    }
    let { why } = decision;
    if (decision.where === 'remote') {
      try {
        return answered(await runThere(asked, inputs), why);
      } catch (error) {
        if (session === undefined) throw error;
        why = `the node does not answer: ${(error as Error).message}`;
      }
    }
    // A version that fails gives way to the one before, and that one to the node.
    while (session !== undefined) {
      const version = String(updater.active!.manifest.version);
      const outputs = await runHere(inputs);
      if (outputs !== undefined) return answered({ outputs, where: 'local', version }, why);
      why = `version ${version} has failed`;
    }
    return answered(await runThere(asked, inputs), why);
  }

  await load();
  return {
    get version() {
      return updater.active?.manifest.version;
    },
    get failed() {
      return updater.failed;
    },
    infer: (inputs, given = {}) => inTurn(() => infer(inputs, given)),
    async update() {
      const before = updater.active;
      const outcome = await updater.update();
      if (updater.active !== before) await inTurn(load);
      return outcome;
    },
    close: () =>
      inTurn(async () => {
        await session?.close();
        session = undefined;
      }),
  };
}

async function askNode(
  client: Client,
  model: string,
  inputs: TensorMap,
  { deadlineMs }: Asked,
): Promise<Pick<EdgeAnswer, 'outputs' | 'version'>> {
  const answer = await client.infer(model, Object.fromEntries(inputs), { timeoutMs: deadlineMs });
  const outputs = Object.entries(answer.outputs).map(([name, output]): [string, Tensor] => [
    name,
    output.type === 'string'
      ? { type: 'string', shape: output.shape, elements: output.data }
      : tensor(output.type, output.shape, output.data as never),
  ]);
  return { outputs: new Map(outputs), version: answer.version ?? 'unknown' };
}

function p99Of(runs: readonly number[]): number | undefined {
  if (runs.length < LEAST_RUNS) return undefined;
  return runs.toSorted((a, b) => a - b)[Math.ceil(0.99 * runs.length) - 1];
}
