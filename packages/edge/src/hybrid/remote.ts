/**
 * The node as an answerer of inputs: the times of its answers, and when it may be asked again. Each request passes the
 * barrier of the policy here, so that no other way sends an input.
 */
import type { Client } from '@skein/api/client';
import { SkeinError } from '@skein/api/errors';
import { tensor, type Tensor, type TensorMap } from '@skein/onnx';
import type { AnswerCounts } from '../report/counts.ts';
import type { EdgeAnswer } from './answers.ts';
import { barrierOf, type Asked, type RemoteState } from './policy.ts';
import { LEAST_TRIPS, recentTimes } from './recent-times.ts';

/** How long a node that cannot be reached is left alone, in milliseconds. */
const AWAY_MS = 5000;

export type RemoteAnswer = Omit<EdgeAnswer, 'why' | 'tookMs'>;

export interface Remote {
  state(): RemoteState;
  /** @throws SkeinError EDGE_NOT_ANSWERED where the input may not be sent; of the node. */
  ask(asked: Asked, inputs: TensorMap, signal?: AbortSignal): Promise<RemoteAnswer>;
}

export interface RemoteOptions {
  /** Undefined: there is no node. */
  readonly client: Client | undefined;
  /** Deployment at the node. */
  readonly model: string;
  readonly counts: AnswerCounts;
  /** Whether the bundle allows offload. */
  readonly isAllowed: () => boolean;
}

export function openRemote({ client, model, counts, isAllowed }: RemoteOptions): Remote {
  let retryAt = 0;
  const trips = recentTimes(LEAST_TRIPS);
  const state = (): RemoteState => ({
    isConfigured: client !== undefined,
    isAllowed: isAllowed(),
    retryAt,
    trips: trips.quantiles(),
  });

  return {
    state,
    async ask(asked, inputs, signal) {
      const barrier = barrierOf(asked, state(), Date.now());
      if (barrier !== undefined) throw new SkeinError('EDGE_NOT_ANSWERED', `${model}: ${barrier}.`);
      const from = performance.now();
      try {
        counts.moved('sent', bytesOf(inputs));
        const answer = await askNode(client!, model, inputs, asked, signal);
        trips.add(performance.now() - from);
        counts.moved('received', bytesOf(answer.outputs));
        return { where: 'remote', ...answer };
      } catch (error) {
        if (signal?.aborted === true) trips.addCutOff(performance.now() - from);
        const isAway = !signal?.aborted && error instanceof SkeinError && error.row.kind !== 'user';
        if (isAway) retryAt = Date.now() + (error.retryAfterMs ?? AWAY_MS);
        throw error;
      }
    },
  };
}

async function askNode(
  client: Client,
  model: string,
  inputs: TensorMap,
  { deadlineMs }: Asked,
  signal: AbortSignal | undefined,
): Promise<Pick<EdgeAnswer, 'outputs' | 'version'>> {
  const options = { timeoutMs: deadlineMs, signal };
  const answer = await client.infer(model, Object.fromEntries(inputs), options);
  const outputs = Object.entries(answer.outputs).map(([name, output]): [string, Tensor] => [
    name,
    output.type === 'string'
      ? { type: 'string', shape: output.shape, elements: output.data }
      : tensor(output.type, output.shape, output.data as never),
  ]);
  return { outputs: new Map(outputs), version: answer.version ?? 'unknown' };
}

function bytesOf(tensors: TensorMap): number {
  let sum = 0;
  for (const each of tensors.values()) {
    if (each.type === 'string') for (const text of each.elements) sum += text.byteLength;
    else sum += each.bytes.byteLength;
  }
  return sum;
}
