/**
 * The entry of a worker thread or child process that holds one session. A thread shares its
 * process, so it sets nothing process-wide but ONNX Runtime's logger.
 *
 * It imports few modules: each adds to a replica's cold start.
 */
import { isMainThread } from 'node:worker_threads';
import { moving, serve } from '@skein/calls/serve';
import type { Signature, Tensor } from '@skein/onnx';
import type { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import { fromOrt, signatureFrom, toOrt } from '../ort-tensor.ts';
import { openBlockingSession, type BlockingSession } from './blocking-session.ts';
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

type Fetches = Readonly<Record<string, null>>;

interface Loaded {
  readonly maxOutputBytes: number;
  readonly session: BlockingSession;
  readonly signature: Signature;
  readonly outputNames: readonly string[];
  readonly allOutputs: Fetches;
}

let loaded: Loaded | undefined;

function load({
  model,
  device,
  threads,
  maxMemoryBytes,
  maxOutputBytes = Infinity,
}: LoadRequest): LoadReply {
  // A thread shares the memory of its process, which was there before.
  const before = isMainThread ? 0 : process.memoryUsage.rss();
  const options: InferenceSession.SessionOptions = {
    executionProviders: [device],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    // Spinning threads start work within microseconds, but the default of a millisecond takes the
    // cores from other work between runs: 2.6 ms of CPU for a 0.3 ms run, against 0.6 ms with this
    // setting.
    extra: { session: { intra_op: { spin_duration_us: '20' } } },
    // After a request for too much, the arena takes all the memory that the bound leaves, and the
    // next run has none for its own books.
    enableCpuMemArena: maxMemoryBytes === undefined,
  };
  const session = openBlockingSession('path' in model ? model.path : model.bytes, options);
  const signature = signatureFrom(session);
  const outputNames = signature.outputs.map(({ name }) => name);
  const allOutputs = fetchesOf(outputNames);
  loaded = { session, signature, outputNames, allOutputs, maxOutputBytes };
  return { signature, memoryBytes: Math.max(0, process.memoryUsage.rss() - before) };
}

function fetchesOf(names: readonly string[]): Fetches {
  return Object.fromEntries(names.map((name) => [name, null]));
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
  given: readonly (readonly [name: string, tensor: Tensor])[],
  tensors: readonly WireTensor[],
  positions?: readonly number[],
): RunReply {
  const { session, outputNames, allOutputs, maxOutputBytes } = loaded!;
  const takenAt = performance.now();
  const feeds: Record<string, OrtTensor> = {};
  for (const [name, tensor] of given) feeds[name] = toOrt(name, tensor);
  const wanted = positions?.map((position) => outputNames[position]!) ?? outputNames;
  const fetches = positions === undefined ? allOutputs : fetchesOf(wanted);
  const start = performance.now();
  const results = session.run(feeds, fetches);
  const ranAt = performance.now();
  const outputs: WireTensor[] = [];
  const transfer: ArrayBuffer[] = [];
  let bytes = 0;
  for (const name of wanted) {
    const output = fromOrt(results[name]!);
    bytes += sizeOf(output);
    if (bytes > maxOutputBytes) {
      throw new Error(`The outputs take more than ${maxOutputBytes} bytes.`);
    }
    // A child process copies every message.
    outputs.push(toWire(output, isMainThread ? undefined : transfer));
    if (output.type === 'string') freeLarge(output.elements, transfer);
  }
  for (const { bytes } of tensors) freeLarge([bytes], transfer);
  const outputMs = performance.now() - ranAt;
  return moving([outputs, start - takenAt, ranAt - start, outputMs] as const, transfer);
}

function sizeOf(tensor: Tensor): number {
  if (tensor.type !== 'string') return tensor.bytes.byteLength;
  return tensor.elements.reduce((sum, { byteLength }) => sum + byteLength, 0);
}

const calls = { load, run, runPrepared };
export type SessionCalls = typeof calls;
serve(calls);
