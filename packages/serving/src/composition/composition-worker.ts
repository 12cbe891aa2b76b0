/**
 * The thread of a composition: loads its module, runs requests concurrently while they await their
 * calls, and passes the calls to the node's thread.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { SkeinError } from '@skein/api/errors';
import type { TensorMap } from '@skein/onnx';
import type { Composition, CompositionContext } from '../define-composition.ts';
import { loadComposition } from './load-composition.ts';
import { noteLocalModules } from './local-modules.ts';
import type { FromWorker, ToWorker, WorkerData } from './messages.ts';
import { pack, unpack, type WireTensors } from '../tensor-transfer.ts';
import { fromWireError, toWireError } from '../wire-error.ts';

interface Call {
  readonly resolve: (outputs: TensorMap) => void;
  readonly reject: (error: SkeinError) => void;
}

const port = parentPort!;
const runs = new Map<number, AbortController>();
const calls = new Map<number, Call>();
let lastCall = 0;

const post = (message: FromWorker, transfer: ArrayBuffer[] = []): void =>
  port.postMessage(message, transfer);

const cancelled = (): SkeinError =>
  new SkeinError('CANCELLED', 'The request that made this call has ended.');

function contextOf(
  composition: Composition,
  run: number,
  deadlineEpochMs: number,
  signal: AbortSignal,
): CompositionContext {
  return {
    signal,
    remainingMs: () => Math.max(0, deadlineEpochMs - performance.timeOrigin - performance.now()),
    async call(deployment, inputs, outputs) {
      if (signal.aborted) throw cancelled();
      if (!composition.calls.includes(deployment)) {
        throw new SkeinError(
          'COMPOSITION_INVALID',
          `The composition calls "${deployment}" without naming it in \`calls\`.`,
        );
      }
      const call = ++lastCall;
      const packed = pack(inputs, false);
      return new Promise((resolve, reject) => {
        calls.set(call, { resolve, reject });
        post(
          { kind: 'call', call, run, deployment, inputs: packed.tensors, outputs },
          packed.transfer,
        );
      });
    },
  };
}

async function answer(
  composition: Composition,
  run: number,
  deadlineEpochMs: number,
  inputs: WireTensors,
): Promise<void> {
  const controller = new AbortController();
  runs.set(run, controller);
  let reply: FromWorker;
  let transfer: ArrayBuffer[] = [];
  try {
    const context = contextOf(composition, run, deadlineEpochMs, controller.signal);
    const outputs = await composition.run(unpack(inputs), context);
    for (const { name, type } of composition.outputs) {
      if (outputs.get(name)?.type !== type) {
        throw new TypeError(`The composition did not return its output "${name}" as ${type}.`);
      }
    }
    const packed = pack(outputs, false);
    transfer = packed.transfer;
    reply = { kind: 'done', run, outputs: packed.tensors };
  } catch (thrown) {
    const error = toWireError(thrown);
    reply = {
      kind: 'failed',
      run,
      error,
      fault: error === undefined ? describe(thrown) : undefined,
    };
  }
  // Calls that it did not await have no request any more.
  controller.abort(cancelled());
  // A cancelled run has been acknowledged already.
  if (runs.delete(run)) post(reply, transfer);
}

function settle(call: number, use: (call: Call) => void): void {
  const waiting = calls.get(call);
  calls.delete(call);
  if (waiting !== undefined) use(waiting);
}

function receive(composition: Composition, message: ToWorker): void {
  switch (message.kind) {
    case 'run':
      void answer(composition, message.run, message.deadlineEpochMs, message.inputs);
      break;
    case 'cancel':
      runs.get(message.run)?.abort(cancelled());
      if (runs.delete(message.run)) post({ kind: 'cancelled', run: message.run });
      break;
    case 'answer':
      settle(message.call, ({ resolve }) => resolve(unpack(message.outputs)));
      break;
    case 'refusal':
      settle(message.call, ({ reject }) => reject(fromWireError(message.error)));
      break;
  }
}

function describe(thrown: unknown): string {
  return thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
}

try {
  const { moduleUrl, warm } = workerData as WorkerData;
  const modules = noteLocalModules(moduleUrl);
  const composition = await loadComposition(moduleUrl);
  modules.stop();
  if (warm) await composition.warm?.();
  port.on('message', (message: ToWorker) => receive(composition, message));
  const { inputs, outputs, calls } = composition;
  // Through JSON, because only plain values can be sent.
  const plain = JSON.parse(JSON.stringify({ signature: { inputs, outputs }, calls })) as {
    signature: { inputs: typeof inputs; outputs: typeof outputs };
    calls: string[];
  };
  post({ kind: 'ready', ...plain, modules: [...modules.urls] });
} catch (error) {
  post({ kind: 'invalid', message: error instanceof Error ? error.message : String(error) });
}
