/** A session whose model is in a worker: a thread of this process, or a process of its own. */
import { WorkerLost, type CallWorker } from '@skein/calls';
import type { Tensor, TensorMap } from '@skein/onnx';
import { RuntimeFailure, type PreparedRun, type RunResult, type Session } from '../contract.ts';
import { checkFit } from '../fit.ts';
import { failureOf } from './failure.ts';
import { freeLarge, fromWire, toWire } from './wire.ts';
import { SharedRows } from './shared-rows.ts';
import type { LoadReply, LoadRequest, RunReply, WireTensor } from './wire.ts';
import type { SessionCalls } from './worker.ts';

export interface SessionWorker extends CallWorker<SessionCalls> {
  /** Ports of a thread, whose buffers move; a child process copies every message. */
  readonly poll?: () => unknown;
}

/** The worker of each open session, so that tests can end it. */
export const workers = new WeakMap<Session, SessionWorker>();

/**
 * @param signal cancels at once, whatever the worker does.
 * @throws RuntimeFailure `'load'`, `'memory'`, `'lost'`; the worker has ended then, or ends when it
 *   can.
 */
export async function openSession(
  worker: SessionWorker,
  request: LoadRequest,
  signal?: AbortSignal,
): Promise<Session> {
  let reply: LoadReply;
  try {
    reply = await worker.call('load', request, { signal });
  } catch (error) {
    const stopped = worker.stop();
    if (signal?.aborted === true) {
      throw new RuntimeFailure('lost', 'Loading was given up.', { cause: error });
    }
    await stopped;
    const reason = error instanceof Error ? error.message : String(error);
    const failure = failureOf('load', reason, request.maxMemoryBytes);
    // A bound below what the process itself needs ends it.
    if (!(error instanceof WorkerLost) || failure.kind === 'memory') throw failure;
    throw new RuntimeFailure('load', `The model ended its worker while loading. ${reason}`);
  }
  return sessionOf(worker, reply, request.maxMemoryBytes);
}

function sessionOf(
  worker: SessionWorker,
  { signature, memoryBytes }: LoadReply,
  maxMemoryBytes: number | undefined,
): Session {
  const inputPositions = new Map(signature.inputs.map(({ name }, i) => [name, i]));
  const outputPositions = new Map(signature.outputs.map(({ name }, i) => [name, i]));
  const outputNames = signature.outputs.map(({ name }) => name);
  const moves = worker.poll !== undefined;
  let closed = false;
  let inFlight: Promise<RunReply> | undefined;
  let rows: SharedRows | undefined;

  function runFailure(error: unknown): RuntimeFailure {
    const reason = error instanceof Error ? error.message : String(error);
    if (error instanceof WorkerLost) {
      return new RuntimeFailure('lost', closed ? 'The session was closed.' : reason);
    }
    // Closes the port, not the worker.
    if (error instanceof DOMException) {
      return new RuntimeFailure('run', `The inputs cannot be handed over: ${reason}`);
    }
    return failureOf('run', reason, maxMemoryBytes);
  }
  async function run(feeds: TensorMap, outputs?: readonly string[]): Promise<RunResult> {
    const inputs: number[] = [];
    const wires: WireTensor[] = [];
    const transfer: ArrayBuffer[] = [];
    for (const [name, tensor] of feeds) {
      inputs.push(positionOf('input', name, inputPositions));
      checkFit(name, tensor);
      wires.push(toWire(tensor, moves ? transfer : undefined));
    }
    const wanted = outputs?.map((name) => positionOf('output', name, outputPositions));
    if (inFlight !== undefined) throw new RuntimeFailure('run', 'The session is still running.');
    let reply: RunReply;
    try {
      inFlight = worker.call('run', [inputs, wires, wanted], { transfer });
      // The message to a process has been written by now: a copy of what is here.
      if (!moves) freeLarge(wires.map(({ bytes }) => bytes));
      reply = await inFlight;
    } catch (error) {
      throw runFailure(error);
    } finally {
      inFlight = undefined;
    }
    return resultOf(reply, outputs ?? outputNames);
  }
  function resultOf(
    [tensors, inputMs, computeMs, outputMs]: RunReply,
    names: readonly string[],
  ): RunResult {
    const results = new Map<string, Tensor>();
    for (let i = 0; i < names.length; i++) results.set(names[i]!, fromWire(tensors[i]!));
    return { outputs: results, inputMs, computeMs, outputMs };
  }
  let preparedInFlight: Promise<unknown> | undefined;
  function prepare(feeds: TensorMap): PreparedRun | undefined {
    rows ??= new SharedRows();
    const opened = rows.open(feeds);
    if (opened === undefined) return undefined;
    const { layout, isNew } = opened;
    const reply = worker.call('runPrepared', isNew ? [rows.memory, layout] : undefined);
    preparedInFlight = reply;
    const shared = rows;
    // Rows that are opened again belong to another run.
    const isOpen = (): boolean => preparedInFlight === reply;
    return {
      result: reply.then(
        (value) => value && resultOf(value, outputNames),
        (error: unknown) => {
          throw runFailure(error);
        },
      ),
      add: (more) => isOpen() && shared.add(layout, more),
      withdraw: () => isOpen() && shared.withdraw(),
    };
  }
  const session: Session = {
    signature,
    memoryBytes,
    run,
    prepare: moves ? prepare : undefined,
    lost: new Promise((resolve) => {
      void worker.ended.then((lost) => {
        if (!closed) resolve(new RuntimeFailure('lost', lost.message));
        return undefined;
      });
    }),
    poll: worker.poll,
    async close() {
      closed = true;
      // A thread ends only after its run, so its result is still used; a child process is killed.
      if (moves) await Promise.allSettled([inFlight, preparedInFlight]);
      await worker.stop();
    },
  };
  workers.set(session, worker);
  return session;
}

function positionOf(
  role: 'input' | 'output',
  name: string,
  positions: ReadonlyMap<string, number>,
): number {
  const position = positions.get(name);
  if (position === undefined) {
    throw new RuntimeFailure('run', `The model has no ${role} '${name}'.`);
  }
  return position;
}
