/** A node that speaks to peers over a real socket; what it does with a request is scripted. */
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { ServerHttp2Session } from 'node:http2';
import { SkeinError } from '@skein/api';
import { tensor, values, type NumericTensor, type TensorMap } from '@skein/onnx';
import type { InferenceAnswer, InferenceRequest, Prediction } from '@skein/serving';
import { bytesBudget } from '../../link/testing/bytes-budget.ts';
import { acceptLink } from '../../link/accept-link.ts';
import type { ForwardedChange } from '../../link/messages.ts';
import { servePeer } from '../../link/serve-peers.ts';
import type { Forwarding } from '../forwarding.ts';

export const KEY = 'a key of the fleet that is long enough';

export type Behave = (request: InferenceRequest) => Promise<InferenceAnswer>;

export class TestNode {
  readonly incarnation: string;
  readonly seen: InferenceRequest[] = [];
  behave: Behave = full;
  prediction: (request: InferenceRequest) => Prediction = () => ({ finishMs: 5 });
  change: (change: ForwardedChange) => Promise<unknown> = () => Promise.resolve({});
  address = '';
  held = 0;
  forwarding!: Forwarding;
  readonly sockets = new Set<Socket>();
  readonly sessions = new Set<ServerHttp2Session>();
  readonly #server = createServer();

  constructor(incarnation: string) {
    this.incarnation = incarnation;
  }

  async listen(): Promise<void> {
    const budget = bytesBudget(1e9);
    this.#server.on('upgrade', (request, socket, head) => {
      this.sockets.add(socket as Socket);
      void acceptLink(request, socket as Socket, head, KEY).then((session) => {
        if (session === undefined) return;
        this.sessions.add(session);
        servePeer(session, {
          local: {
            infer: (asked) => this.infer(asked),
            predict: (asked) => this.prediction(asked),
          },
          change: (change) => this.change(change),
          clock: performance,
          maxBytes: 1e8,
          hold: (tenant) => budget.hold(tenant),
          toError: (error) =>
            error instanceof SkeinError ? error : new SkeinError('INTERNAL', 'It failed.'),
        });
      });
    });
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    this.address = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  infer(request: InferenceRequest): Promise<InferenceAnswer> {
    this.seen.push(request);
    return this.behave(request);
  }

  /** Breaks its connections, like `kill -9`. */
  kill(): void {
    this.#server.close();
    for (const socket of this.sockets) socket.destroy();
  }
}

export const full: Behave = ({ deployment }) =>
  Promise.reject(
    new SkeinError('DEADLINE_UNREACHABLE', `"${deployment}" is full.`, { retryAfterMs: 400 }),
  );
export const doubled: Behave = ({ inputs }) => {
  const x = inputs.get('x') as NumericTensor;
  const y = tensor(
    'float32',
    x.shape,
    Float32Array.from(values(x) as Float32Array, (v) => 2 * v),
  );
  return Promise.resolve(answer(new Map([['y', y]])));
};
export const answer = (outputs: TensorMap): InferenceAnswer => ({
  version: '3',
  outputs,
  times: { queueMs: 1, computeMs: 2, batchRows: 1 },
  cached: false,
});
/** Accepts, and never answers. */
export const hangs: Behave = () => new Promise(() => {});
