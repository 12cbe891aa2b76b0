/** Sets up the OpenTelemetry SDK: sampler, batch sizes and headers follow the OTEL_* variables. */
import { diag, DiagLogLevel, type Tracer } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import {
  defaultResource,
  detectResources,
  envDetector,
  resourceFromAttributes,
} from '@opentelemetry/resources';
import { BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-node';
import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';
import type { TracingOptions } from './tracing.ts';

export function startExport({ endpoint, version, warn }: TracingOptions): {
  readonly tracer: Tracer;
  readonly shutdown: () => Promise<void>;
} {
  const ignore = () => undefined;
  const report = (text: string): void => warn(described(text));
  diag.setLogger(
    { error: report, warn: report, info: ignore, debug: ignore, verbose: ignore },
    { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true },
  );
  const exporter = new OTLPTraceExporter(
    endpoint === undefined ? {} : { url: `${endpoint.replace(/\/+$/, '')}/v1/traces` },
  );
  const provider = new BasicTracerProvider({
    resource: defaultResource()
      .merge(resourceFromAttributes({ 'service.name': 'skein', 'service.version': version }))
      .merge(detectResources({ detectors: [envDetector] })),
    spanProcessors: [new BatchSpanProcessor(exporter)],
  });
  return {
    tracer: provider.getTracer('skein', version),
    shutdown: () => provider.shutdown().catch((error: Unsent) => warn(unsent(error))),
  };
}

/** An error of the exporter; `code` is a status of HTTP, or a name such as ECONNREFUSED. */
interface Unsent {
  readonly message: string;
  readonly code?: string | number;
}

function unsent({ message, code = '' }: Unsent): string {
  const known = message.includes(String(code));
  return `Traces cannot be sent: ${message}${known ? '' : ` (${code})`}`;
}

/** The SDK gives an error as JSON with its stack, and everything else, such as a variable that it ignores, as text. */
function described(text: string): string {
  try {
    return unsent(readJson(text, JSON_BOUNDS.frame) as Unsent);
  } catch {
    return `OpenTelemetry: ${text}`;
  }
}
