/** The worker of the contract test, in a thread or a process. */
import { setTimeout as delay } from 'node:timers/promises';
import { moving, serve, type CallContext, type Calls } from '../serve.ts';
import { Refusal } from './refusal.ts';

/** Functions that the test serves to it. */
export type TestCalls = { double(x: number): number; refuse(code: string): never };

let cancellations = 0;
let produced = 0;

const calls = {
  add: ({ a, b }: { a: number; b: number }) => a + b,
  nothing: (): void => undefined,
  later: async (ms: number) => {
    await delay(ms);
    return ms;
  },
  total: (bytes: Uint8Array) => bytes.reduce((sum, byte) => sum + byte, 0),
  bytes(length: number) {
    const whole = new Uint8Array(length).fill(7);
    return moving(whole, [whole.buffer]);
  },
  refuse(code: string): never {
    const root = new RangeError('the disk has 0 bytes');
    throw new Refusal(code, 'No capacity.', [{ free: 0 }], new Refusal('FULL', 'Inner.', [], root));
  },
  async refuseLater(): Promise<never> {
    await delay(1);
    throw new TypeError('a fault');
  },
  refuseText(): never {
    // eslint-disable-next-line no-throw-literal -- foreign code does
    throw 'only text' as unknown as Error;
  },
  refuseObject(): never {
    // eslint-disable-next-line no-throw-literal -- foreign code does
    throw Object.create(null) as Error;
  },
  unclonable: () => ({ f: () => 1 }),
  async *countTo(last: number) {
    for (let i = 1; i <= last; i++) {
      produced = i;
      yield i;
    }
  },
  async *failAfter(last: number) {
    yield* calls.countTo(last);
    throw new Refusal('FULL', 'The stream ends.', []);
  },
  async *endless(_: undefined, { signal }: CallContext) {
    signal.addEventListener('abort', () => cancellations++);
    for (let i = 0; ; i++) {
      await delay(1);
      yield i;
    }
  },
  wait(_: undefined, { signal }: CallContext): Promise<never> {
    return new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => {
        cancellations++;
        reject(new Error('cancelled here'));
      });
    });
  },
  cancellations: () => cancellations,
  produced: () => produced,
  askDouble: (x: number): Promise<number> => starter.call('double', x),
  async askRefusal(code: string) {
    const error: unknown = await starter.call('refuse', code).catch((thrown: unknown) => thrown);
    return [error instanceof Refusal, (error as Error).message];
  },
  exit: (code: number): void => process.exit(code),
  crash(): Promise<never> {
    setImmediate(() => {
      throw new Error('boom');
    });
    return new Promise(() => undefined);
  },
  loop(): never {
    for (;;);
  },
  block(ms: number): number {
    const end = performance.now() + ms;
    while (performance.now() < end);
    return ms;
  },
  fillHeap(): number {
    const all: number[][] = [];
    for (;;) all.push(Array.from({ length: 1000 }, (_, i) => i + all.length));
  },
};
export type ContractCalls = typeof calls;
const starter: Calls<TestCalls> = serve<TestCalls>(calls, [Refusal]);
