/**
 * Traces, when a collector is configured. Otherwise nothing of OpenTelemetry is even loaded: its
 * SDK takes 0.2 s of a start, and a request that nobody records costs nothing.
 */
import type { Inference } from '@skein/serving';

export interface Tracing {
  /** The same inference with every request recorded; the caller's trace goes on in it. */
  wrap(inference: Inference): Inference;
  /** Sends what is waiting, for at most two seconds. Idempotent. */
  close(): Promise<void>;
}

export interface TracingOptions {
  /** Base URL of an OTLP/HTTP collector; absent: the environment decides (OTEL_EXPORTER_OTLP_ENDPOINT and its kin). */
  readonly endpoint?: string | undefined;
  /** Of Skein. */
  readonly version: string;
  /** Told when spans cannot be sent. */
  readonly warn: (message: string) => void;
}

const CLOSE_MS = 2000;

/** @returns undefined when no collector is configured. */
export async function startTracing(options: TracingOptions): Promise<Tracing | undefined> {
  if (!isConfigured(options.endpoint)) return undefined;
  const [{ startExport }, { traceInference }] = await Promise.all([
    import('./otlp-export.ts'),
    import('./traced-inference.ts'),
  ]);
  const exporting = startExport(options);
  let closing: Promise<void> | undefined;
  return {
    wrap: (inference) => traceInference(inference, exporting.tracer),
    close: () => (closing ??= within(CLOSE_MS, exporting.shutdown())),
  };
}

async function within(limitMs: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, limitMs);
  });
  await Promise.race([work, late]);
  clearTimeout(timer);
}

function isConfigured(endpoint: string | undefined): boolean {
  const { env } = process;
  if (env['OTEL_SDK_DISABLED'] === 'true' || env['OTEL_TRACES_EXPORTER'] === 'none') return false;
  return Boolean(
    endpoint ?? env['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'] ?? env['OTEL_EXPORTER_OTLP_ENDPOINT'],
  );
}
