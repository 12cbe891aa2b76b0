/**
 * The entry of a worker thread or child process that holds one session. The first message says what
 * to load, every later one is a run, and each gets exactly one answer. A thread shares its process,
 * so it sets nothing process-wide, except that ONNX Runtime's logger, which is one for the whole
 * process, is silenced: its messages are thrown as exceptions for the caller.
 *
 * It imports few modules: each adds to a replica's cold start.
 */
import { workerData, type MessagePort } from 'node:worker_threads';
import type { Signature, Tensor } from '@skein/onnx';
import { env, InferenceSession, type Tensor as OrtTensor } from 'onnxruntime-node';
import { fromOrt, signatureFrom, toOrt } from '../ort-tensor.ts';
import { dieWithParent } from './orphan.ts';
import { fromWire, toWire } from './wire.ts';
import type {
  LoadReply,
  LoadRequest,
  Reply,
  Request,
  RunReply,
  RunRequest,
  Started,
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

/** Whether the memory of this process is bounded. */
const isBounded = workerData === null && process.argv[2] !== undefined;

async function load({
  model,
  device,
  threads,
  maxOutputBytes = Infinity,
}: LoadRequest): Promise<LoadReply> {
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
    enableCpuMemArena: !isBounded,
  };
  try {
    const session = await ('path' in model
      ? InferenceSession.create(model.path, options)
      : InferenceSession.create(model.bytes, options));
    const signature = signatureFrom(session);
    const outputNames = signature.outputs.map(({ name }) => name);
    loaded = { session, signature, outputNames, maxOutputBytes };
    return { signature };
  } catch (error) {
    return { reason: reasonOf(error) };
  }
}

async function run(
  { session, signature, outputNames, maxOutputBytes }: Loaded,
  request: RunRequest,
  moved: ArrayBuffer[] | undefined,
): Promise<RunReply> {
  try {
    const feeds: Record<string, OrtTensor> = {};
    for (let i = 0; i < request.feeds.length; i++) {
      const { name } = signature.inputs[request.inputs[i]!]!;
      feeds[name] = toOrt(name, fromWire(request.feeds[i]!));
    }
    const wanted = request.outputs?.map((position) => outputNames[position]!) ?? outputNames;
    const start = performance.now();
    const results = await session.run(feeds, wanted, RUN_OPTIONS);
    const computeMs = performance.now() - start;
    const outputs: WireTensor[] = [];
    let bytes = 0;
    for (const name of wanted) {
      const output = fromOrt(results[name]!);
      bytes += sizeOf(output);
      if (bytes > maxOutputBytes) {
        return { reason: `The outputs take more than ${maxOutputBytes} bytes.` };
      }
      outputs.push(toWire(output, moved));
    }
    return { outputs, computeMs };
  } catch (error) {
    return { reason: reasonOf(error) };
  }
}

function sizeOf(tensor: Tensor): number {
  if (tensor.type !== 'string') return tensor.bytes.byteLength;
  return tensor.elements.reduce((sum, { byteLength }) => sum + byteLength, 0);
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

async function serve(
  message: Request,
  moved: ArrayBuffer[] | undefined,
  send: (reply: Reply) => void,
): Promise<void> {
  send(
    await (loaded === undefined
      ? load(message as LoadRequest)
      : run(loaded, message as RunRequest, moved)),
  );
}

/** Of a thread; a child process has none. */
const port = workerData as MessagePort | null;
if (port === null) {
  const [, , maxMemoryBytes] = process.argv;
  const watched = dieWithParent(maxMemoryBytes === undefined ? undefined : Number(maxMemoryBytes));
  process.on('message', (message: Request) => {
    void serve(message, undefined, (reply) => process.send!(reply));
  });
  // The thread of the checks uses memory of its own, which does not count for the model.
  void watched.then(() => process.send!('started' satisfies Started));
} else {
  port.on('message', (message: Request) => {
    if (message === 'end') process.exit();
    const moved: ArrayBuffer[] = [];
    void serve(message, moved, (reply) => port.postMessage(reply, moved));
  });
}
