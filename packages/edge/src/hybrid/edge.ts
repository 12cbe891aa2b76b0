/**
 * A model on a device: answers in a process or worker of its own, keeps its bundle current, and asks a node where the
 * policy allows it. Each version has a process of its own, so an old one leaves no memory behind, and a crash ends no
 * answer but its own.
 */
import type { DeviceReport } from '@skein/api';
import { createClient } from '@skein/api/client';
import { SkeinError } from '@skein/api/errors';
import type { Tensor, TensorMap } from '@skein/onnx';
import { RuntimeFailure, type Session } from '@skein/runtime/contract';
import { goldenFault, measureGolden } from '../bundle/golden.ts';
import type { Backend } from '../bundle/manifest.ts';
import { answerCounts, shownReason } from '../report/counts.ts';
import { startReporter, type Reporter } from '../report/reporter.ts';
import type { Bytes, Source } from '../trust/source.ts';
import type { LoadedVersion } from '../update/slots.ts';
import { openUpdater, type UpdaterOptions } from '../update/updater.ts';
import type {
  EdgeAnswer,
  EdgeInferOptions,
  EdgeServer,
  LocalSession,
  ReportingEdge,
  ReportOptions,
} from './answers.ts';
import { decide, type Asked } from './policy.ts';
import { recentTimes, type RecentTimes } from './recent-times.ts';
import { openRemote } from './remote.ts';

export interface DeviceOptions extends Omit<UpdaterOptions, 'open'> {
  readonly server: EdgeServer | undefined;
  readonly report?: ReportOptions | undefined;
  readonly open: (model: Bytes, version: LoadedVersion) => Promise<LocalSession>;
}

/** Opens what is installed, without a network. */
export async function openEdge(options: DeviceOptions): Promise<ReportingEdge> {
  const { name: model, open, server, storage } = options;
  let reporter: Reporter | undefined;
  const counts = answerCounts();
  const source = countedSource(options.source, (bytes) => counts.moved('received', bytes));
  const updater = await openUpdater({ ...options, source, heldBack });
  const remote = openRemote({
    client: server && createClient(server),
    model,
    counts,
    isAllowed: () => updater.active?.manifest.offload.allowed ?? true,
  });
  let session: LocalSession | undefined;
  /** The version of the session. */
  let loaded: LoadedVersion | undefined;
  let reason: string | undefined;
  const runs = recentTimes();
  /** The run that a hedge has left behind: it ends before the next one begins. */
  let left: Promise<unknown> | undefined;
  let isClosed = false;
  if (options.report !== undefined) {
    const { invitation } = options.report;
    reporter = await startReporter({ storage, invitation, report: reportNow });
  }

  function heldBack(version: number, from: number | null): string | undefined {
    const permission = reporter?.permission ?? null;
    if (permission === null || version <= permission.upTo) return undefined;
    return from === null && permission.first ? undefined : permission.why;
  }

  function reportNow(): DeviceReport {
    const { active, failed, published, isOnTrial } = updater;
    return {
      model,
      version: active?.manifest.version ?? null,
      digest: active?.digest ?? null,
      trial: isOnTrial,
      published: published ?? null,
      failed: failed.map((each) => ({ version: each.version, reason: shownReason(each.reason) })),
      latency: latencyOf(runs),
      ...counts.counted,
      counts: counts.take(),
    };
  }

  /** One run at a time, and no run while the version changes. */
  let last: Promise<unknown> = Promise.resolve();
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = last.then(work);
    last = done.catch(() => undefined);
    return done;
  }

  /** Notes of the updater about the version, in the order of its answers. No answer waits for them. */
  let noting: Promise<unknown> = Promise.resolve();
  function note(work: () => Promise<void>): void {
    noting = noting.then(work).catch(() => undefined);
  }

  /** Opens the active version in a process of its own; one that cannot be opened gives way. */
  async function load(): Promise<void> {
    await session?.close();
    session = undefined;
    runs.clear();
    for (;;) {
      loaded = updater.active;
      if (loaded === undefined) return;
      try {
        session = await open(loaded.model.slice(), loaded);
        await warmUp(session, loaded, options.backend);
        reason = undefined;
        note(() => updater.ran());
        return;
      } catch (error) {
        await session?.close();
        session = undefined;
        reason = `version ${loaded.manifest.version} cannot be loaded: ${(error as Error).message}`;
        if (!(await updater.faulted(reason))) return;
      }
    }
  }

  /** @returns the failure, if another version, none, or a new process of the same one is active now. */
  async function runHere(
    inputs: TensorMap,
    { deadlineMs = Infinity }: Asked,
  ): Promise<TensorMap | RuntimeFailure> {
    const { version } = loaded!.manifest;
    const from = performance.now();
    try {
      const { outputs, computeMs } = await session!.run(inputs);
      const tookMs = performance.now() - from;
      runs.add(tookMs);
      counts.ran(version, tookMs, tookMs > deadlineMs);
      counts.usedCpu((computeMs * session!.runsOn.threads) / 1000);
      // The answer counts, also where the disk cannot take that it was given.
      note(() => updater.answered());
      return outputs;
    } catch (error) {
      // The model refuses this input: another version might not, and the caller decides.
      if (!(error instanceof RuntimeFailure) || error.kind === 'run' || isClosed) throw error;
      counts.failed(version);
      await noting;
      await updater.faulted(reasonOf(error));
      reporter?.changed();
      await load();
      return error;
    }
  }

  /**
   * Both, where the device has no answer at `hedgeAtMs`: the first answer counts, and the other call is cancelled. A run
   * of the device cannot be cancelled; it is left to end.
   */
  async function runHedged(
    asked: Asked,
    inputs: TensorMap,
    hedgeAtMs: number,
  ): Promise<TensorMap | RuntimeFailure | Omit<EdgeAnswer, 'tookMs'>> {
    const kept = copyOf(inputs);
    const cancelled = new AbortController();
    const own = runHere(inputs, asked);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const other = new Promise<Omit<EdgeAnswer, 'tookMs'>>((resolve) => {
      const ask = (): void => {
        counts.hedged();
        const rest = { ...asked, deadlineMs: Math.max(1, asked.deadlineMs! - hedgeAtMs) };
        const why = `the device had no answer after ${Math.round(hedgeAtMs)} ms`;
        // A node that fails leaves the answer to the device.
        remote.ask(rest, kept, cancelled.signal).then(
          (answer) => resolve({ ...answer, why }),
          () => undefined,
        );
      };
      timer = setTimeout(ask, hedgeAtMs);
    });
    try {
      const first = await Promise.race([own, other]);
      if ('where' in first) {
        const ending = own
          .catch(() => undefined)
          .then(() => {
            if (left === ending) left = undefined;
          });
        left = ending;
      }
      return first;
    } finally {
      clearTimeout(timer);
      cancelled.abort();
    }
  }

  async function infer(inputs: TensorMap, given: EdgeInferOptions): Promise<EdgeAnswer> {
    const from = performance.now();
    // Another page of the same origin has installed a version, or rolled one back.
    if (updater.active !== loaded) {
      await left;
      await load();
    }
    const deadlineMs = given.deadlineMs ?? updater.active?.manifest.offload.deadlineMs;
    const asked: Asked = { isPrivate: given.private ?? false, deadlineMs };
    /** @param reported the reason without the message of the node. */
    const answered = (
      answer: Omit<EdgeAnswer, 'why' | 'tookMs'>,
      why: string,
      reported = why,
    ): EdgeAnswer => {
      counts.decided(answer.where, reported);
      return { ...answer, why, tookMs: performance.now() - from };
    };
    const local = {
      isReady: session !== undefined,
      reason,
      isBusy: left !== undefined,
      runs: runs.quantiles(),
    };
    const decision = decide(asked, local, remote.state(), Date.now());
    if (decision.where === 'refused') {
      counts.decided('refused', decision.why);
      throw new SkeinError('EDGE_NOT_ANSWERED', `${model}: ${decision.why}.`);
    }
    let { why } = decision;
    let reported = why;
    if (decision.where === 'remote') {
      try {
        return answered(await remote.ask(asked, inputs), why);
      } catch (error) {
        if (session === undefined) throw error;
        reported = 'the node does not answer';
        why = `${reported}: ${(error as Error).message}`;
      }
    }
    // A version that fails gives way to the one before, and that one to the node.
    const ended = new Set<LoadedVersion | undefined>();
    await left;
    let hedgeAtMs = decision.where === 'local' ? decision.hedgeAtMs : undefined;
    while (session !== undefined) {
      const { runsOn } = session;
      const tried = loaded!;
      const version = String(tried.manifest.version);
      const first =
        hedgeAtMs === undefined
          ? await runHere(inputs, asked)
          : await runHedged(asked, inputs, hedgeAtMs);
      hedgeAtMs = undefined;
      if ('where' in first) return answered(first, first.why);
      if (!(first instanceof RuntimeFailure)) {
        return answered({ outputs: first, where: 'local', version, runsOn }, why, reported);
      }
      // A committed version starts again, once: this input may be what ends it.
      if (ended.has(tried)) throw first;
      ended.add(tried);
      reported = why = `version ${version} has failed`;
    }
    return answered(await remote.ask(asked, inputs), why);
  }

  await load();
  return {
    get version() {
      return updater.active?.manifest.version;
    },
    get failed() {
      return updater.failed;
    },
    get runsOn() {
      return session?.runsOn;
    },
    get device() {
      return reporter?.device;
    },
    get reportFault() {
      return reporter?.fault;
    },
    async report() {
      if (reporter === undefined) {
        throw new SkeinError('USAGE', 'The device reports to no node: give createEdge `report`.');
      }
      // The answers so far may have ended the trial.
      await noting;
      await reporter.send();
    },
    infer: (inputs, given = {}) => inTurn(() => infer(inputs, given)),
    async update() {
      await noting;
      await reporter?.refresh();
      const outcome = await updater.update();
      await inTurn(async () => {
        if (updater.active === loaded) return;
        await left;
        await load();
      });
      if (outcome.kind === 'updated' || outcome.kind === 'refused') reporter?.changed();
      return outcome;
    },
    close: () =>
      inTurn(async () => {
        isClosed = true;
        reporter?.close();
        await session?.close();
        session = undefined;
        await noting;
      }),
  };
}

/** The first run of a session takes longer. Its answer shows too that this device still computes as when it was installed. */
async function warmUp(
  session: Session,
  { golden, variant }: LoadedVersion,
  backend: Backend,
): Promise<void> {
  const found = await measureGolden(session, golden.slice(0, 1));
  const fault = goldenFault(found, variant.backends[backend]!.tolerance);
  if (fault !== undefined) throw new Error(fault);
}

/** A reason that the device may report. A message about memory may have the size of an input. */
function reasonOf({ kind, message }: RuntimeFailure): string {
  return kind === 'memory' ? 'it needed more memory than it may have' : message;
}

function latencyOf(runs: RecentTimes): DeviceReport['latency'] {
  const quantiles = runs.quantiles();
  if (quantiles === undefined) return null;
  return { ...quantiles, p90Ms: runs.quantile(0.9)!, runs: runs.count };
}

/** A run takes the memory of its inputs, which the node may still have to get. */
function copyOf(inputs: TensorMap): TensorMap {
  return new Map(
    [...inputs].map(([name, each]): [string, Tensor] => [
      name,
      each.type === 'string' ? each : { ...each, bytes: each.bytes.slice() },
    ]),
  );
}

function countedSource(source: Source, onBytes: (bytes: number) => void): Source {
  return {
    place: source.place,
    async read(path, maxBytes) {
      const bytes = await source.read(path, maxBytes);
      onBytes(bytes?.byteLength ?? 0);
      return bytes;
    },
  };
}
