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
        const { headers, socket } = exchange.request;
        requireMethod(exchange, 'GET');
        access.authorize(headers.authorization, 'read', socket);
        sendText(exchange, 200, metrics.contentType, await metrics.text());
      },
    }),
  };
}
