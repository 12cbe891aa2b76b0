/**
 * The entry of a worker thread or child process that holds one session. First message: what to
 * load. Every later message: one run. It answers each message with exactly one, and sets nothing
 * process-wide, because in a thread the process is not its own.
 */
import { parentPort, type MessagePort } from 'node:worker_threads';
import type { Signature } from '@skein/onnx';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { fromOrt, signatureFrom, toOrt } from './ort-tensor.ts';
import type { LoadReply, LoadRequest, RunReply, RunRequest } from './wire.ts';

interface Channel {
  receive(handle: (message: unknown) => void): void;
  send(message: LoadReply | RunReply, transfer: ArrayBuffer[]): void;
}

/** Fatal only: what goes wrong comes back as an exception, and is not for this process's stderr. */
const LOG_SEVERITY = 4;
const RUN_OPTIONS: InferenceSession.RunOptions = { logSeverityLevel: LOG_SEVERITY };

let session: InferenceSession;
let signature: Signature;

async function load(request: LoadRequest): Promise<LoadReply> {
  const options: InferenceSession.SessionOptions = {
    executionProviders: [request.device],
    intraOpNumThreads: request.threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    logSeverityLevel: LOG_SEVERITY,
  };
  try {
    session =
      'path' in request.model
        ? await InferenceSession.create(request.model.path, options)
        : await InferenceSession.create(request.model.bytes, options);
    signature = signatureFrom(session);
    return { signature };
  } catch (error) {
    return { failure: 'load', message: messageOf(error) };
  }
}

async function run(request: RunRequest, transfer: ArrayBuffer[]): Promise<RunReply> {
  try {
    const feeds: Record<string, Tensor> = {};
    for (let i = 0; i < request.feeds.length; i++) {
      const { name } = signature.inputs[request.inputs[i]!]!;
      feeds[name] = toOrt(name, request.feeds[i]!, Tensor);
    }
    const names = (request.outputs ?? signature.outputs.map((_, i) => i)).map(
      (i) => signature.outputs[i]!.name,
    );
    const start = performance.now();
    const results = await session.run(feeds, names, RUN_OPTIONS);
    const computeMs = performance.now() - start;
    const outputs = names.map((name) => {
      const wire = fromOrt(results[name]!);
      transfer.push(wire.bytes.buffer as ArrayBuffer);
      return wire;
    });
    return { outputs, computeMs };
  } catch (error) {
    return { failure: 'run', message: messageOf(error) };
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function threadChannel(port: MessagePort): Channel {
  return {
    receive: (handle) => port.on('message', handle),
    send: (message, transfer) => port.postMessage(message, transfer),
  };
}

function processChannel(): Channel {
  process.on('disconnect', () => process.exit(0));
  return {
    receive: (handle) => process.on('message', handle),
    send: (message) => process.send!(message),
  };
}

const channel = parentPort === null ? processChannel() : threadChannel(parentPort);
let loaded = false;
channel.receive((message) => {
  const transfer: ArrayBuffer[] = [];
  const reply = loaded ? run(message as RunRequest, transfer) : load(message as LoadRequest);
  loaded = true;
  void reply.then((answer) => channel.send(answer, transfer));
});
