/** A session whose worker lives in a host. One request is in flight at a time, so replies need no ids. */
import type { Signature, TensorMap } from '@skein/onnx';
import { elementSize } from '@skein/onnx';
import { RuntimeFailure, type RunResult, type Session } from '../contract.ts';
import type { Host } from './host.ts';
import { fromWire, misfit, toWire } from './wire.ts';
import type { LoadReply, LoadRequest, RunReply, RunRequest, WireTensor } from './wire.ts';

interface Waiter {
  resolve(reply: LoadReply | RunReply): void;
  reject(failure: RuntimeFailure): void;
}

/** @throws RuntimeFailure `'load'` or `'unavailable'`; the host has ended then. */
export async function openSession(
  host: Host,
  request: LoadRequest,
  transfer: ArrayBuffer[],
): Promise<Session> {
  let waiter: Waiter | undefined;
  let closed = false;
  let ending: RuntimeFailure | undefined;

  host.onReply = (reply) => {
    const asker = waiter!;
    waiter = undefined;
    asker.resolve(reply);
  };
  const lost = new Promise<RuntimeFailure>((resolve) => {
    void host.ended.then((how) => {
      ending = new RuntimeFailure('lost', closed ? 'The session was closed.' : how);
      waiter?.reject(ending);
      waiter = undefined;
      if (!closed) resolve(ending);
    });
  });
  const ask = (message: LoadRequest | RunRequest, moved: ArrayBuffer[]) =>
    new Promise<LoadReply | RunReply>((resolve, reject) => {
      waiter = { resolve, reject };
      host.send(message, moved);
    });
  const close = async () => {
    closed = true;
    await host.end();
  };

  let signature: Signature;
  try {
    const reply = (await ask(request, transfer)) as LoadReply;
    if ('failure' in reply) throw new RuntimeFailure(reply.failure, reply.message);
    ({ signature } = reply);
  } catch (error) {
    await close();
    if (error instanceof RuntimeFailure && error.kind === 'lost') {
      throw new RuntimeFailure(
        'load',
        `The worker ended while it loaded the model. ${error.message}`,
      );
    }
    throw error;
  }

  const inputPositions = new Map(signature.inputs.map(({ name }, i) => [name, i]));
  const outputPositions = new Map(signature.outputs.map(({ name }, i) => [name, i]));

  return {
    signature,
    lost,
    close,
    async run(feeds: TensorMap, outputs?: readonly string[]): Promise<RunResult> {
      if (ending !== undefined) throw ending;
      if (waiter !== undefined) throw new RuntimeFailure('run', 'The session is still running.');
      const moved: ArrayBuffer[] = [];
      const inputs: number[] = [];
      const wires: WireTensor[] = [];
      for (const [name, tensor] of feeds) {
        const position = inputPositions.get(name);
        if (position === undefined) {
          throw new RuntimeFailure('run', `The model has no input '${name}'.`);
        }
        const reason = misfit(tensor, tensor.type === 'string' ? 0 : elementSize(tensor.type));
        if (reason !== undefined) throw new RuntimeFailure('run', `Input '${name}': ${reason}.`);
        inputs.push(position);
        wires.push(toWire(tensor, moved));
      }
      const wanted = outputs?.map((name) => {
        const position = outputPositions.get(name);
        if (position === undefined) {
          throw new RuntimeFailure('run', `The model has no output '${name}'.`);
        }
        return position;
      });
      const reply = (await ask({ inputs, feeds: wires, outputs: wanted }, moved)) as RunReply;
      if ('failure' in reply) throw new RuntimeFailure('run', reply.message);
      const results = new Map();
      for (let i = 0; i < reply.outputs.length; i++) {
        const { name } = signature.outputs[wanted === undefined ? i : wanted[i]!]!;
        results.set(name, fromWire(reply.outputs[i]!));
      }
      return { outputs: results, computeMs: reply.computeMs };
    },
  };
}
