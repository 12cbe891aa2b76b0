/**
 * A runtime that ends its runs and sessions when the test asks for it. The first value of each row is
 * returned three times.
 *
 * Its clock advances by the cost of each run that ends unasked, so that the dispatcher learns the
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
    /** Begins when the run ends. */
    prepared?: { rows: number; begin(): void };
    lose(): void;
    closed: boolean;
  }[] = [];
  /** Thrown by the next `open` calls. */
  failures: RuntimeFailure[] = [];
  /** Runs end by themselves until then; true while warming. */
  automatic = true;
  /** Runs whose first value is this never end by themselves. */
  held: number | undefined;
  /** Milliseconds by which the clock is ahead. */
  passedMs = 0;
  readonly clock: Clock = { now: () => performance.now() + this.passedMs };
  outputRows = (rows: number): number => rows;
  /** Whether its sessions prepare runs. */
  prepares = false;

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
        const x = feeds.get('x') as NumericTensor;
        const rows = x.shape[0]!;
        const result = this.#result([x]);
        if (this.automatic && firstOf(x)[0] !== this.held) {
          this.passedMs += 20 + 0.1 * rows;
          return Promise.resolve(result);
        }
        return new Promise((resolve, reject) => {
          state.run = { resolve: () => resolve(result), reject, rows };
        });
      },
      prepare: (feeds) => {
        if (!this.prepares || state.prepared !== undefined) return undefined;
        const { promise, resolve, reject } = Promise.withResolvers<RunResult | undefined>();
        const parts = [feeds.get('x') as NumericTensor];
        const prepared = {
          rows: parts[0]!.shape[0]!,
          begin: () => {
            delete state.prepared;
            state.run = {
              resolve: () => resolve(this.#result(parts)),
              reject,
              rows: prepared.rows,
            };
          },
        };
        state.prepared = prepared;
        return {
          result: promise,
          add: (more) => {
            if (state.prepared !== prepared) return false;
            const x = more.get('x') as NumericTensor;
            parts.push(x);
            prepared.rows += x.shape[0]!;
            return true;
          },
          withdraw: () => {
            if (state.prepared !== prepared) return false;
            delete state.prepared;
            resolve(undefined);
            return true;
          },
        };
      },
      close: async () => {
        state.closed = true;
      },
    };
  }

  #result(parts: readonly NumericTensor[]): RunResult {
    const firsts = parts.flatMap(firstOf);
    const rows = this.outputRows(firsts.length);
    const y = Float32Array.from({ length: rows * 3 }, (_, i) => firsts[Math.floor(i / 3)] ?? 0);
    const outputs = new Map([['y', tensor('float32', [rows, 3], y)]]);
    return { outputs, inputMs: 0.1, computeMs: 1, outputMs: 0.2 };
  }

  /** Ends the run of a session, which begins the prepared one. The dispatcher reads it later. @returns its rows. */
  endNow(session = 0): number {
    const state = this.sessions[session]!;
    const run = state.run!;
    delete state.run;
    run.resolve({ outputs: new Map(), inputMs: 0.1, computeMs: 1, outputMs: 0.2 });
    state.prepared?.begin();
    return run.rows;
  }

  /** Ends the run of a session, once it has one. */
  async end(session = 0): Promise<number> {
    await vi.waitUntil(() => this.sessions[session]?.run !== undefined, { interval: 1 });
    return this.endNow(session);
  }
}

/** The first value of each row. */
function firstOf({ bytes, shape }: NumericTensor): number[] {
  const x = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  return Array.from({ length: shape[0]! }, (_, row) => x[4 * row]!);
}
