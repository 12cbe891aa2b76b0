/**
 * The entry of a worker thread or child process that holds one session. A thread shares its
 * process, so it sets nothing process-wide, except that ONNX Runtime's logger, which is one for the
 * whole process, is silenced: its messages are thrown as exceptions for the caller.
 *
 * It imports few modules: each adds to a replica's cold start.
 */
import { isMainThread } from 'node:worker_threads';
import { moving, serve } from '@skein/calls/serve';
import type { Signature, Tensor } from '@skein/onnx';
import { env, InferenceSession, type Tensor as OrtTensor } from 'onnxruntime-node';
import { fromOrt, signatureFrom, toOrt } from '../ort-tensor.ts';
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

env.logLevel = 'fatal';
/** The same, for the loggers of a session and of a run. */
const FATAL = 4;
const RUN_OPTIONS: InferenceSession.RunOptions = { logSeverityLevel: FATAL };

interface Loaded {
  readonly maxOutputBytes: number;
  readonly session: InferenceSession;
  readonly signature: Signature;
  readonly outputNames: readonly string[];
}

let loaded: Loaded | undefined;

async function load({
  model,
  device,
  threads,
  maxMemoryBytes,
  maxOutputBytes = Infinity,
}: LoadRequest): Promise<LoadReply> {
  // A thread shares the memory of its process, which was there before.
  const before = isMainThread ? 0 : process.memoryUsage.rss();
  const options: InferenceSession.SessionOptions = {
    executionProviders: [device],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    logSeverityLevel: FATAL,
    // Spinning threads start work within microseconds, but the default of a millisecond takes the
    // cores from other work between runs: 2.6 ms of CPU for a 0.3 ms run, against 0.6 ms with this
    // setting.
    extra: { session: { intra_op: { spin_duration_us: '20' } } },
    // After a request for too much, the arena takes all the memory that the bound leaves, and the
    // next run has none for its own books.
    enableCpuMemArena: maxMemoryBytes === undefined,
  };
  const session = await ('path' in model
    ? InferenceSession.create(model.path, options)
    : InferenceSession.create(model.bytes, options));
  const signature = signatureFrom(session);
  const outputNames = signature.outputs.map(({ name }) => name);
  loaded = { session, signature, outputNames, maxOutputBytes };
  return { signature, memoryBytes: Math.max(0, process.memoryUsage.rss() - before) };
}

/** The last run that has begun. */
let current: Promise<RunReply> | undefined;
let shared: NonNullable<PreparedRequest> | undefined;

function run([inputs, tensors, positions]: RunRequest): Promise<RunReply> {
  const { signature } = loaded!;
  const feeds = tensors.map(
    (tensor, i) => [signature.inputs[inputs[i]!]!.name, fromWire(tensor)] as const,
  );
  return (current = runOn(feeds, tensors, positions));
}

/** @returns undefined when the run was withdrawn. */
async function runPrepared(request: PreparedRequest): Promise<RunReply | undefined> {
  const [memory, layout] = (shared = request ?? shared!);
  await current?.catch(() => undefined);
  const feeds = takeRows(memory, layout);
  return feeds && (current = runOn(feeds, []));
}

async function runOn(
  given: readonly (readonly [name: string, tensor: Tensor])[],
  tensors: readonly WireTensor[],
  positions?: readonly number[],
): Promise<RunReply> {
  const { session, outputNames, maxOutputBytes } = loaded!;
  const takenAt = performance.now();
  const feeds: Record<string, OrtTensor> = {};
  for (const [name, tensor] of given) feeds[name] = toOrt(name, tensor);
  const wanted = positions?.map((position) => outputNames[position]!) ?? outputNames;
  const start = performance.now();
  const results = await session.run(feeds, wanted, RUN_OPTIONS);
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
