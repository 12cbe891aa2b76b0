/**
 * Traces, if a collector is configured. Otherwise OpenTelemetry is not loaded: its SDK takes 0.2 s
 * of a start, and a request without a recorder costs nothing.
 */
import { SkeinError } from '@skein/api/errors';
import { within } from '@skein/api/waits';
import type { Inference } from '@skein/serving';
import type { WrapGateway } from './traced-gateway.ts';

export interface Tracing {
  /** The same inference with every request recorded as a child of the caller's trace. */
  wrap(inference: Inference): Inference;
  /** The same for requests to language models. */
  wrapGateway: WrapGateway;
  /** Sends the pending spans, for at most two seconds. Idempotent. */
  close(): Promise<void>;
}

export interface TracingOptions {
  /** Base URL of an OTLP/HTTP collector; absent: the environment decides (OTEL_EXPORTER_OTLP_ENDPOINT and related variables). */
  readonly endpoint?: string | undefined;
  /** Version of Skein. */
  readonly version: string;
  /** Called when spans cannot be sent. */
  readonly warn: (message: string) => void;
}

const CLOSE_MS = 2000;

/** @returns undefined when no collector is configured. @throws SkeinError USAGE when its address is none. */
export async function startTracing(options: TracingOptions): Promise<Tracing | undefined> {
  const configured = configuredCollector(options.endpoint);
  if (configured === undefined) return undefined;
  const { from, address } = configured;
  if (!/^https?:$/.test(URL.parse(address)?.protocol ?? '')) {
    const message = `${from}: ${JSON.stringify(address)} is not the URL of a collector, such as http://127.0.0.1:4318.`;
    throw new SkeinError('USAGE', message);
  }
  const [{ startExport }, { traceInference }, { traceGateway }] = await Promise.all([
    import('./otlp-export.ts'),
    import('./traced-inference.ts'),
    import('./traced-gateway.ts'),
  ]);
  const exporting = startExport(options);
  let closing: Promise<void> | undefined;
  return {
    wrap: (inference) => traceInference(inference, exporting.tracer),
    wrapGateway: (gateway, systemOf) => traceGateway(gateway, exporting.tracer, systemOf),
    close: () => (closing ??= within(exporting.shutdown(), CLOSE_MS, () => {})),
  };
}

/** The address that is used, and where it was given. */
function configuredCollector(
  endpoint: string | undefined,
): { readonly from: string; readonly address: string } | undefined {
  const { env } = process;
  if (env['OTEL_SDK_DISABLED'] === 'true' || env['OTEL_TRACES_EXPORTER'] === 'none') return;
  const given = [
    ['--otlp', endpoint],
    ['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', env['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT']],
    ['OTEL_EXPORTER_OTLP_ENDPOINT', env['OTEL_EXPORTER_OTLP_ENDPOINT']],
  ] as const;
  for (const [from, address] of given) {
    if (address !== undefined) return address === '' ? undefined : { from, address };
  }
  return;
}
