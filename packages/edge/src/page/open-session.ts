/**
 * Opens a version on the best backend of this browser that gives the right answers: WebGPU, WebAssembly on several
 * threads, or on one. Each attempt has a worker of its own.
 *
 * A processor that imitates a graphics processor passes golden vectors too, and is slower than WebAssembly, so it does not
 * count as WebGPU unless the page names its backends.
 */
import { goldenFault, measureGolden } from '../bundle/golden.ts';
import type { LocalSession, RunsOn } from '../hybrid/answers.ts';
import type { Bytes } from '../trust/source.ts';
import type { LoadedVersion } from '../update/slots.ts';
import type { PageBackend } from './messages.ts';
import { startSessionWorker, type SessionWorker } from './worker-session.ts';

/** Present in a worker of Chromium and Safari; the library of types does not have it yet. */
interface Gpu {
  requestAdapter(): Promise<{ readonly info: { readonly isFallbackAdapter?: boolean } } | null>;
}

export interface SessionOpener {
  open(model: Bytes, version: LoadedVersion): Promise<LocalSession>;
  /** Ends a worker that no version has taken. */
  close(): void;
}

/**
 * @param scripts folder of the workers' scripts.
 * @param backends that may be used; absent: all that this browser has.
 */
export function sessionOpener(
  scripts: URL,
  threads: number,
  backends: readonly PageBackend[] | undefined,
): SessionOpener {
  const attempts: RunsOn[] = [];
  if ((backends ?? ['webgpu']).includes('webgpu')) attempts.push({ backend: 'webgpu', threads: 1 });
  if ((backends ?? ['wasm']).includes('wasm')) {
    if (globalThis.crossOriginIsolated && threads > 1) attempts.push({ backend: 'wasm', threads });
    attempts.push({ backend: 'wasm', threads: 1 });
  }
  const start = (runsOn: RunsOn): SessionWorker =>
    startSessionWorker(new URL(`session-${runsOn.backend}.js`, scripts), runsOn.threads);

  // The library loads while the files of the version are read.
  const [likely] = attempts.filter(({ backend }) => backend === 'wasm');
  let early = likely && { runsOn: likely, worker: start(likely) };
  const gpu =
    attempts[0]?.backend === 'webgpu' ? whyNoGpu(backends !== undefined) : Promise.resolve('');

  function workerFor(runsOn: RunsOn): SessionWorker {
    if (early?.runsOn !== runsOn) return start(runsOn);
    const { worker } = early;
    early = undefined;
    return worker;
  }

  return {
    async open(model, version) {
      const reasons: string[] = [];
      for (const attempt of attempts) {
        const missing = attempt.backend === 'webgpu' ? await gpu : '';
        const isLast = attempt === attempts.at(-1);
        const found = missing || (await tryOn(workerFor(attempt), model, version, isLast));
        if (typeof found !== 'string') {
          const why = reasons.length === 0 ? undefined : reasons.join('; ');
          return { ...found, runsOn: { ...attempt, why } };
        }
        const { backend, threads: count } = attempt;
        reasons.push(`${backend === 'webgpu' ? 'WebGPU' : `${count} threads`}: ${found}`);
      }
      throw new Error(reasons.join('; '));
    },
    close: () => early?.worker.close(),
  };
}

/**
 * @param isLast the caller compares the golden vectors of the last resort itself.
 * @returns why the backend cannot be used.
 */
async function tryOn(
  worker: SessionWorker,
  model: Bytes,
  { golden, variant }: LoadedVersion,
  isLast: boolean,
): Promise<Awaited<ReturnType<SessionWorker['open']>> | string> {
  try {
    const session = await worker.open(model.slice());
    if (isLast) return session;
    const fault = goldenFault(
      await measureGolden(session, golden),
      variant.backends.wasm!.tolerance,
    );
    if (fault === undefined) return session;
    await session.close();
    return fault;
  } catch (error) {
    worker.close();
    if (isLast) throw error;
    return (error as Error).message;
  }
}

/** @returns why there is no graphics processor; empty if there is one. */
async function whyNoGpu(takesAny: boolean): Promise<string> {
  const { gpu } = navigator as { readonly gpu?: Gpu };
  if (gpu === undefined) return 'this browser has none';
  const adapter = await gpu.requestAdapter().catch(() => null);
  if (adapter === null) return 'this browser has no adapter';
  return adapter.info.isFallbackAdapter === true && !takesAny
    ? 'the processor imitates the adapter'
    : '';
}
