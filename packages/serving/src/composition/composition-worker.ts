/**
 * The thread of a composition: loads its module, runs requests concurrently while they await their
 * calls, and passes the calls to the node's thread.
 */
import { SkeinError } from '@skein/api/errors';
import { moving, serve, type CallContext } from '@skein/calls/serve';
import type { Signature } from '@skein/onnx';
import type { Composition, CompositionContext } from './define-composition.ts';
import { loadComposition } from './load-composition.ts';
import { prepareForBundle } from './bundled-module.ts';
import { pack, unpack, type WireTensors } from '../tensor-transfer.ts';

export interface CompositionInterface {
  readonly signature: Signature;
  readonly calls: readonly string[];
}

export interface RunMessage {
  readonly run: number;
  /** Milliseconds since the epoch, because every thread has its own monotonic clock. */
  readonly deadlineEpochMs: number;
  readonly inputs: WireTensors;
}

export interface CallMessage {
  /** The run that makes the call. */
  readonly run: number;
  readonly deployment: string;
  readonly inputs: WireTensors;
  readonly outputs: readonly string[] | undefined;
}

/** Functions that the node's thread serves. */
export type HostCalls = { call(message: CallMessage): Promise<WireTensors> };

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
      const { tensors, transfer } = pack(inputs, false);
      const message = { run, deployment, inputs: tensors, outputs };
      return unpack(await host.call('call', message, { transfer }));
    },
  };
}

let composition: Composition;

const calls = {
  async load({
    moduleUrl,
    warm,
  }: {
    moduleUrl: string;
    warm: boolean;
  }): Promise<CompositionInterface> {
    prepareForBundle(moduleUrl);
    composition = await loadComposition(moduleUrl);
    if (warm) await composition.warm?.();
    const { inputs, outputs, calls: callees } = composition;
    // Through JSON, because only plain values can be sent.
    return JSON.parse(
      JSON.stringify({ signature: { inputs, outputs }, calls: callees }),
    ) as CompositionInterface;
  },
  async run(
    { run, deadlineEpochMs, inputs }: RunMessage,
    { signal }: CallContext,
  ): Promise<WireTensors> {
    const ended = new AbortController();
    const end = (): void => ended.abort(cancelled());
    signal.addEventListener('abort', end);
    try {
      const context = contextOf(composition, run, deadlineEpochMs, ended.signal);
      const outputs = await composition.run(unpack(inputs), context);
      for (const { name, type } of composition.outputs) {
        if (outputs.get(name)?.type !== type) {
          throw new TypeError(`The composition did not return its output "${name}" as ${type}.`);
        }
      }
      const { tensors, transfer } = pack(outputs, false);
      return moving(tensors, transfer);
    } finally {
      // Calls that it did not await have no request any more.
      end();
    }
  },
};
export type CompositionCalls = typeof calls;
const host = serve<HostCalls>(calls, [SkeinError]);
