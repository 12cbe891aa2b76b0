/**
 * Deadline serving in a Hono app that has routes of its own. The client sends in `Skein-Timeout-Ms`
 * how long it can wait. A request that would be late is refused at once, with an honest Retry-After.
 */
import { ERRORS, SkeinError } from '@skein/api';
import { tensor, values, type NumericTensor, type TensorMap } from '@skein/onnx';
import type { EmbeddedServing } from '@skein/serving';
import { Hono } from 'hono';

/** Columns of the model's input `x`. */
export const COLUMNS = 4;

export function createApp(serving: EmbeddedServing): Hono {
  const app = new Hono();

  app.get('/', (context) => context.text('An app that answers with a model: POST /predict\n'));

  app.post('/predict', async (context) => {
    const rows = rowsOf(await context.req.json<unknown>().catch(() => undefined));
    const timeoutMs = timeoutOf(context.req.header('skein-timeout-ms'));
    const { outputs, version, times } = await serving.infer('risk', rows, { timeoutMs });
    const scores = values(outputs.get('y') as NumericTensor);
    return context.json({ scores: Array.from(scores, Number), version, ...times });
  });

  app.onError((error, context) => {
    if (!(error instanceof SkeinError)) throw error;
    if (error.retryAfterMs !== undefined) {
      context.header('Retry-After', String(Math.max(1, Math.ceil(error.retryAfterMs / 1000))));
    }
    return new Response(JSON.stringify(error.toBody()), {
      status: ERRORS[error.code].http,
      headers: { ...Object.fromEntries(context.res.headers), 'Content-Type': 'application/json' },
    });
  });
  return app;
}

/** `{"rows": [[1, 2, 3, 4], …]}` as the model's input. @throws SkeinError REQUEST_INVALID. */
function rowsOf(body: unknown): TensorMap {
  const { rows } = (body ?? {}) as { rows?: unknown };
  const isRow = (row: unknown): row is number[] =>
    Array.isArray(row) && row.length === COLUMNS && row.every((each) => typeof each === 'number');
  if (!Array.isArray(rows) || rows.length === 0 || !rows.every(isRow)) {
    throw new SkeinError('REQUEST_INVALID', `"rows" must be a list of rows of ${COLUMNS} numbers.`);
  }
  return new Map([
    ['x', tensor('float32', [rows.length, COLUMNS], Float32Array.from(rows.flat()))],
  ]);
}

function timeoutOf(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  const timeoutMs = Number(header);
  if (timeoutMs > 0 && Number.isFinite(timeoutMs)) return timeoutMs;
  throw new SkeinError('REQUEST_INVALID', `Skein-Timeout-Ms is "${header}", not a time.`);
}
