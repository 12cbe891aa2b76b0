/**
 * The entry of a worker thread or child process that holds one session. A thread shares its
 * process, so it sets nothing process-wide but ONNX Runtime's logger.
 *
 * It imports few modules: each adds to a replica's cold start.
 */
import { isMainThread } from 'node:worker_threads';
import { moving, serve } from '@skein/calls/serve';
import type { Tensor } from '@skein/onnx';
import { loadModel, type LoadedModel } from './loaded-model.ts';
import { freeLarge, fromWire, toWire } from './wire.ts';
import { takeRows } from './shared-rows.ts';
import type {
  LoadReply,
  LoadRequest,
  PreparedRequest,
  RunReply,
  RunRequest,
  WireTensor,
} from './wire.ts';

let loaded: LoadedModel | undefined;

function load(request: LoadRequest): LoadReply {
  // A thread shares the memory of its process, which was there before.
  const before = isMainThread ? 0 : process.memoryUsage.rss();
  loaded = loadModel(request);
  const memoryBytes = Math.max(0, process.memoryUsage.rss() - before);
  return { signature: loaded.signature, memoryBytes };
}

let shared: NonNullable<PreparedRequest> | undefined;

function run([inputs, tensors, positions]: RunRequest): RunReply {
  const { signature } = loaded!;
  const feeds = tensors.map(
    (tensor, i) => [signature.inputs[inputs[i]!]!.name, fromWire(tensor)] as const,
  );
  return runOn(feeds, tensors, positions);
}

/** @returns undefined when the run was withdrawn. */
function runPrepared(request: PreparedRequest): RunReply | undefined {
  const [memory, layout] = (shared = request ?? shared!);
  const feeds = takeRows(memory, layout);
  return feeds && runOn(feeds, []);
}

function runOn(
  feeds: readonly (readonly [name: string, tensor: Tensor])[],
  tensors: readonly WireTensor[],
  positions?: readonly number[],
): RunReply {
  const { signature } = loaded!;
  const names = positions?.map((position) => signature.outputs[position]!.name);
  const { outputs, inputMs, computeMs, outputMs } = loaded!.run(feeds, names);
  const ranAt = performance.now();
  const transfer: ArrayBuffer[] = [];
  const wires = outputs.map((output) => {
    // A child process copies every message.
    const wire = toWire(output, isMainThread ? undefined : transfer);
    if (output.type === 'string') freeLarge(output.elements, transfer);
    return wire;
  });
  for (const { bytes } of tensors) freeLarge([bytes], transfer);
  const sentMs = performance.now() - ranAt;
  return moving([wires, inputMs, computeMs, outputMs + sentMs] as const, transfer);
}

const calls = { load, run, runPrepared };
export type SessionCalls = typeof calls;
serve(calls);
