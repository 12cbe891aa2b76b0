/** `GET /metrics`, in the exposition format of Prometheus. */
import { sendText } from '@skein/http';
import type { FaceAccess } from '../access/refused-logins.ts';
import { type Face, requireMethod } from './face.ts';

export interface MetricsOptions {
  readonly access: FaceAccess;
  readonly metrics: {
    /** Names the format. */
    readonly contentType: string;
    text(): Promise<string>;
  };
}

export function metricsFace({ access, metrics }: MetricsOptions): Face {
  return {
    http: () => ({
      owns: (path) => path === '/metrics',
      async serve(exchange) {
        requireMethod(exchange, 'GET');
        access.authorize(exchange.request.headers.authorization, 'read', exchange);
        sendText(exchange, 200, metrics.contentType, await metrics.text());
      },
    }),
  };
}
