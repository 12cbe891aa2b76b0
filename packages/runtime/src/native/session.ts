/** A session whose worker lives in a host. One request is in flight at a time, so answers carry no ids. */
import type { Signature, Tensor, TensorMap } from '@skein/onnx';
import { RuntimeFailure, type RunResult, type Session } from '../contract.ts';
import { checkFit } from '../fit.ts';
import { explain } from '../reason.ts';
import type { Host } from './host.ts';
import { fromWire, toWire } from './wire.ts';
import type { LoadReply, LoadRequest, Reply, Request, RunReply, WireTensor } from './wire.ts';

/** The host of each open session, so that tests can end it. */
export const hosts = new WeakMap<Session, Host>();

/**
 * @param signal cancels at once, whatever the worker does.
 * @throws RuntimeFailure `'load'`, `'memory'`, `'lost'`; the host has ended then, or ends when it can.
 */
export async function openSession(
  host: Host,
  request: LoadRequest,
  signal?: AbortSignal,
): Promise<Session> {
  const line = openLine(host);
  const close = async () => {
    line.closed = true;
    // A thread ends only after its run, so its result is still used; a child process is killed.
    if (host.moves) await line.answered;
    await host.end();
  };
  let signature: Signature;
  try {
    const reply = (await unlessAborted(line.ask(request, []), signal)) as LoadReply;
    if ('reason' in reply) throw failureOf('load', reply.reason);
    ({ signature } = reply);
  } catch (error) {
    const closed = close();
    if (signal?.aborted === true) {
      throw new RuntimeFailure('lost', 'Loading was given up.', { cause: error });
    }
    await closed;
    if (error instanceof RuntimeFailure && error.kind !== 'lost') throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new RuntimeFailure('load', `The model ended its worker while loading. ${reason}`);
  }
  const run = runner(host, line, signature);
  const session: Session = { signature, run, lost: line.lost, poll: host.poll, close };
  hosts.set(session, host);
  return session;
}

/** Settles as the work does, but rejects as soon as the signal is aborted. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  const aborted = Promise.withResolvers<never>();
  const stop = (): void => aborted.reject(signal.reason);
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop);
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** The messages of ONNX Runtime, the C++ library and V8 when memory is short. */
const NO_MEMORY = /Failed to allocate memory|bad_alloc|bad allocation|allocation failed/i;

function failureOf(kind: 'load' | 'run', reason: string): RuntimeFailure {
  return new RuntimeFailure(NO_MEMORY.test(reason) ? 'memory' : kind, explain(reason));
}

/** The one outstanding request to a worker, and the worker's end. */
interface Line {
  closed: boolean;
  readonly lost: Promise<RuntimeFailure>;
  /** Settles with the outstanding request; resolved when there is none. */
  answered: Promise<unknown>;
  ask(message: Request, moved: ArrayBuffer[]): Promise<Reply>;
}

function openLine(host: Host): Line {
  let waiter: { resolve(reply: Reply): void; reject(failure: RuntimeFailure): void } | undefined;
  let end: RuntimeFailure | undefined;
  let announce: (failure: RuntimeFailure) => void;
  const line: Line = {
    closed: false,
    lost: new Promise((resolve) => {
      announce = resolve;
    }),
    answered: Promise.resolve(),
    ask(message, moved) {
      const answer = new Promise<Reply>((resolve, reject) => {
        if (end !== undefined) throw end;
        if (waiter !== undefined) throw new RuntimeFailure('run', 'The session is still running.');
        try {
          host.send(message, moved);
        } catch (error) {
          const reason = error instanceof Error ? error.message : String(error);
          throw new RuntimeFailure('run', `The inputs cannot be handed over: ${reason}`);
        }
        waiter = { resolve, reject };
      });
      line.answered = answer.catch(() => undefined);
      return answer;
    },
  };
  host.onReply = (reply) => {
    const asker = waiter;
    waiter = undefined;
    asker?.resolve(reply);
  };
  void host.ended.then((how) => {
    end = new RuntimeFailure('lost', line.closed ? 'The session was closed.' : how);
    waiter?.reject(end);
    waiter = undefined;
    if (!line.closed) announce(end);
    return undefined;
  });
  return line;
}

function runner(host: Host, line: Line, signature: Signature): Session['run'] {
  const inputPositions = new Map(signature.inputs.map(({ name }, i) => [name, i]));
  const outputPositions = new Map(signature.outputs.map(({ name }, i) => [name, i]));
  const outputNames = signature.outputs.map(({ name }) => name);

  return async (feeds: TensorMap, outputs?: readonly string[]): Promise<RunResult> => {
    const inputs: number[] = [];
    const wires: WireTensor[] = [];
    const moved: ArrayBuffer[] = [];
    for (const [name, tensor] of feeds) {
      inputs.push(positionOf('input', name, inputPositions));
      checkFit(name, tensor);
      wires.push(toWire(tensor, host.moves ? moved : undefined));
    }
    const wanted = outputs?.map((name) => positionOf('output', name, outputPositions));
    const reply = (await line.ask({ inputs, feeds: wires, outputs: wanted }, moved)) as RunReply;
    if ('reason' in reply) throw failureOf('run', reply.reason);
    const names = outputs ?? outputNames;
    const results = new Map<string, Tensor>();
    for (let i = 0; i < names.length; i++) results.set(names[i]!, fromWire(reply.outputs[i]!));
    return { outputs: results, computeMs: reply.computeMs };
  };
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
