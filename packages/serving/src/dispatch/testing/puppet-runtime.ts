/**
 * A runtime that ends its runs and sessions when the test says so. The first value of each row is
 * returned three times.
 *
 * Its clock advances by the cost of each run that ends by itself, so that the dispatcher learns the
 * same costs on every machine: a large fixed one, and little per row.
 */
import { readModel, signatureOf, tensor, type NumericTensor } from '@skein/onnx';
import { RuntimeFailure, type RunResult, type Runtime, type Session } from '@skein/runtime';
import { vi } from 'vitest';
import type { Clock } from '../../contract.ts';
import { MLP } from './harness.ts';

export class Puppet {
  readonly sessions: {
    run?: { resolve: (result: RunResult) => void; reject: (error: Error) => void; rows: number };
    lose(): void;
    closed: boolean;
  }[] = [];
  /** Thrown by the next `open` calls. */
  failures: RuntimeFailure[] = [];
  /** Runs end by themselves until then; true while warming. */
  automatic = true;
  /** Runs whose first value is this never end by themselves. */
  held: number | undefined;
  /** What the clock is ahead. */
  passedMs = 0;
  readonly clock: Clock = { now: () => performance.now() + this.passedMs };
  outputRows = (rows: number): number => rows;

  readonly runtime: Runtime = {
    name: 'native',
    open: async () => {
      const failure = this.failures.shift();
      if (failure !== undefined) throw failure;
      return this.#session();
    },
  };

  #session(): Session {
    const lost = Promise.withResolvers<RuntimeFailure>();
    const state: Puppet['sessions'][number] = {
      closed: false,
      lose: () => {
        const failure = new RuntimeFailure('lost', 'killed by the test');
        state.run?.reject(failure);
        lost.resolve(failure);
      },
    };
    this.sessions.push(state);
    return {
      signature: signatureOf(readModel(MLP)),
      lost: lost.promise,
      run: (feeds) => {
        const { bytes, shape } = feeds.get('x') as NumericTensor;
        const rows = this.outputRows(shape[0]!);
        const x = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
        const y = Float32Array.from({ length: rows * 3 }, (_, i) => x[Math.floor(i / 3) * 4] ?? 0);
        const result = {
          outputs: new Map([['y', tensor('float32', [rows, 3], y)]]),
          inputMs: 0.1,
          computeMs: 1,
          outputMs: 0.2,
        };
        if (this.automatic && x[0] !== this.held) {
          this.passedMs += 20 + 0.1 * shape[0]!;
          return Promise.resolve(result);
        }
        return new Promise((resolve, reject) => {
          state.run = { resolve: () => resolve(result), reject, rows: shape[0]! };
        });
      },
      close: async () => {
        state.closed = true;
      },
    };
  }

  /** Ends the run of a session, once it has one. */
  async end(session = 0): Promise<number> {
    await vi.waitUntil(() => this.sessions[session]?.run !== undefined, { interval: 1 });
    const run = this.sessions[session]!.run!;
    delete this.sessions[session]!.run;
    run.resolve({ outputs: new Map(), inputMs: 0.1, computeMs: 1, outputMs: 0.2 });
    return run.rows;
  }
}
