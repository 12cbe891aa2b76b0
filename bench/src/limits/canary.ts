/**
 * How long a request takes, by a thread of its own: the thread of an attack is busy, and its delay is not the
 * node's.
 */
import { Worker, isMainThread, parentPort } from 'node:worker_threads';

export interface CanaryRequest {
  readonly url: string;
  readonly init?: {
    readonly method: string;
    readonly headers: Record<string, string>;
    readonly body: string;
  };
}

export interface CanaryReading {
  readonly ms: number;
  /** Absent: no answer came. */
  readonly status?: number;
  readonly text?: string;
}

export interface Canary {
  ask(request: CanaryRequest): Promise<CanaryReading>;
  stop(): Promise<void>;
}

const TIMEOUT_MS = 30_000;

export function startCanary(): Canary {
  const worker = new Worker(new URL(import.meta.url));
  return {
    ask(request) {
      return new Promise((resolve, reject) => {
        worker.once('error', reject);
        worker.once('message', (reading: CanaryReading) => {
          worker.off('error', reject);
          resolve(reading);
        });
        worker.postMessage(request, []);
      });
    },
    async stop() {
      await worker.terminate();
    },
  };
}

/** Whether neither an answer nor a coded refusal came. */
export function isLost({ status, text = '' }: CanaryReading): boolean {
  return status !== 200 && !/"code":/.test(text);
}

async function ask({ url, init }: CanaryRequest): Promise<CanaryReading> {
  const begun = performance.now();
  try {
    const response = await fetch(url, { ...init, signal: AbortSignal.timeout(TIMEOUT_MS) });
    const text = await response.text();
    return { ms: performance.now() - begun, status: response.status, text };
  } catch {
    return { ms: performance.now() - begun };
  }
}

if (!isMainThread) {
  parentPort?.on('message', (request: CanaryRequest) => {
    void ask(request).then((reading) => parentPort!.postMessage(reading, []));
  });
}
