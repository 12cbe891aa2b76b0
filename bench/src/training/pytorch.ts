/** The peer in a process of its own. It takes steps on command, so that rounds can alternate. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { ModelName } from './models.ts';

export interface PyTorch {
  readonly version: string;
  /** Milliseconds of each step. */
  steps(model: ModelName, batch: number, steps: number): Promise<number[]>;
  stop(): Promise<void>;
}

const SCRIPTS = join(import.meta.dirname, '../../peers/pytorch');

/**
 * @param script of `bench/peers/pytorch`.
 * @throws Error with Python's error output when it cannot start.
 */
export async function startPyTorch(script = 'steps.py'): Promise<PyTorch> {
  const child = spawn('/usr/bin/python3', [join(SCRIPTS, script)], {
    stdio: ['pipe', 'pipe', 'pipe'],
    // The environment of the benchmark asks for huge pages, so PyTorch has them too.
    env: {
      ...process.env,
      OMP_NUM_THREADS: '1',
      OPENBLAS_NUM_THREADS: '1',
      MKL_NUM_THREADS: '1',
    },
  });
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => {
    complaint = (complaint + chunk.toString()).slice(-2000);
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const read = async <T>(): Promise<T> => {
    const { done, value } = await lines.next();
    if (done === true) throw new Error(`PyTorch ended: ${complaint}`);
    return JSON.parse(value) as T;
  };
  const { version } = await read<{ version: string }>();
  return {
    version,
    async steps(model, batch, steps) {
      child.stdin.write(`${JSON.stringify({ model, batch, steps })}\n`);
      return (await read<{ ms: number[] }>()).ms;
    },
    async stop() {
      const ended = once(child, 'exit');
      child.stdin.end();
      await ended;
    },
  };
}
