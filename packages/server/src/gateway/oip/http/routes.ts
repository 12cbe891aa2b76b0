/**
 * The paths of the Open Inference Protocol over HTTP and of Triton's extensions. Routing splits the
 * path by hand: there is one hot route, and two comparisons find it.
 *
 * Health needs no key, so that probes work without one. A caller that may infer may also read
 * metadata.
 */
import type { Instant } from '@skein/serving';
import { type Exchange, remoteOf, sendJson, sendText } from '@skein/http';
import { requireMethod, unknownRoute, type HttpRoutes } from '../../face.ts';
import { serveRegions } from './extension-routes.ts';
import { inferOverHttp } from './infer.ts';
import { modelConfigJson } from '../models/model-config.ts';
import { objectOf, smallBody } from './small-body.ts';
import { EXTENSIONS, metadataOf, SERVER_NAME } from '../models/metadata.ts';
import {
  servedVersions,
  type BatchStatistics,
  type DurationStatistic,
  type ModelStatistics,
} from '../statistics.ts';
import { decodeSegment } from '../../path-segment.ts';
import { authorizeReader, isNodeReady } from '../../rules.ts';
import type { HttpOptions } from '../options.ts';

const PREFIX = '/v2';

export function inferenceRoutes(options: HttpOptions): HttpRoutes {
  const answer = (exchange: Exchange, path: string, reachedAt: Instant) =>
    serve(exchange, path, reachedAt, options);
  return {
    owns: (path) => path.startsWith('/v2/') || path === PREFIX,
    serve: answer,
    serveWhole: answer,
  };
}

function serve(
  exchange: Exchange,
  path: string,
  reachedAt: Instant,
  options: HttpOptions,
): Promise<void> | undefined {
  // An empty segment is not an empty name.
  if (path.includes('//')) throw unknownRoute(exchange);
  const segments = path.slice(PREFIX.length + 1).split('/');
  if (segments.at(-1) === '') segments.pop();
  const [area, name = ''] = segments;

  if (area === 'models' && segments.length > 1) {
    if (name === 'stats' && segments.length === 2) {
      sendStatistics(exchange, undefined, undefined, options);
      return undefined;
    }
    const versioned = segments[2] === 'versions' && segments.length > 3;
    const action = segments[versioned ? 4 : 2];
    if (segments.length > (versioned ? 5 : 3)) throw unknownRoute(exchange);
    const version = versioned ? decodeSegment(segments[3]!) : undefined;
    const model = decodeSegment(name);
    if (action === 'infer') {
      requireMethod(exchange, 'POST');
      return inferOverHttp(exchange, model, version, reachedAt, options);
    }
    serveModel(exchange, model, version, action, options);
    return undefined;
  }
  if (area === 'repository') return serveRepository(exchange, segments, options);
  if (area === 'systemsharedmemory' || area === 'cudasharedmemory') {
    const kind = area === 'cudasharedmemory' ? 'cuda' : 'system';
    return serveRegions(exchange, kind, segments.slice(1).map(decodeSegment), options);
  }
  serveNode(exchange, segments.join('/'), options);
  return undefined;
}

function serveModel(
  exchange: Exchange,
  model: string,
  version: string | undefined,
  action: string | undefined,
  options: HttpOptions,
): void {
  const { inference, access } = options;
  switch (action) {
    case undefined:
      requireMethod(exchange, 'GET');
      authorizeReader(access, exchange.request.headers.authorization, exchange);
      sendJson(exchange, 200, metadataOf(inference.describe(model, version)));
      return;
    case 'config':
      requireMethod(exchange, 'GET');
      authorizeReader(access, exchange.request.headers.authorization, exchange);
      sendJson(exchange, 200, modelConfigJson(inference.describe(model, version)));
      return;
    case 'ready': {
      requireMethod(exchange, 'GET');
      const { name } = inference.describe(model, version);
      const ready = options.isAccepting() && inference.isReady(model, version);
      sendJson(exchange, ready ? 200 : 503, { name, ready });
      return;
    }
    case 'stats':
      sendStatistics(exchange, model, version, options);
      return;
    default:
      throw unknownRoute(exchange);
  }
}

function serveNode(exchange: Exchange, path: string, options: HttpOptions): void {
  switch (path) {
    case '':
      requireMethod(exchange, 'GET');
      sendJson(exchange, 200, {
        name: options.serverName ?? SERVER_NAME,
        version: options.version,
        extensions: EXTENSIONS,
      });
      return;
    case 'health/live':
      requireMethod(exchange, 'GET');
      sendJson(exchange, 200, { live: true });
      return;
    case 'health/accepting': {
      requireMethod(exchange, 'GET');
      const accepting = options.isAccepting() && options.hasRestored();
      sendJson(exchange, accepting ? 200 : 503, { accepting });
      return;
    }
    case 'health/ready': {
      requireMethod(exchange, 'GET');
      const ready = isNodeReady(options);
      sendJson(exchange, ready ? 200 : 503, { ready });
      return;
    }
    default:
      throw unknownRoute(exchange);
  }
}

async function serveRepository(
  exchange: Exchange,
  segments: readonly string[],
  options: HttpOptions,
): Promise<void> {
  const { access, repository } = options;
  const [, kind, name, action] = segments;
  const { authorization } = exchange.request.headers;
  if (kind === 'index' && segments.length === 2) {
    requireMethod(exchange, 'POST');
    const { tenant } = access.authorize(authorization, 'read', exchange);
    const readyOnly = (await smallBody(exchange, tenant, options))['ready'] === true;
    const entries = await repository.index();
    sendJson(exchange, 200, readyOnly ? entries.filter(({ state }) => state === 'READY') : entries);
    return;
  }
  const known = kind === 'models' && name !== undefined && segments.length === 4;
  if (!known || (action !== 'load' && action !== 'unload')) throw unknownRoute(exchange);
  requireMethod(exchange, 'POST');
  const { actor, tenant } = access.authorize(authorization, 'admin', exchange);
  // Read it now: a caller that has disconnected by the end of a load has no address any more.
  const remote = remoteOf(exchange);
  const { parameters = {} } = await smallBody(exchange, tenant, options);
  const model = decodeSegment(name);
  const by = { actor, remote };
  if (action === 'load') await repository.load(model, objectOf(parameters, 'parameters'), by);
  else await repository.unload(model, by);
  sendText(exchange, 200, 'application/json', '');
}

function sendStatistics(
  exchange: Exchange,
  model: string | undefined,
  version: string | undefined,
  { access, inference, statistics }: HttpOptions,
): void {
  requireMethod(exchange, 'GET');
  access.authorize(exchange.request.headers.authorization, 'read', exchange);
  const served = servedVersions(inference, model, version);
  sendJson(exchange, 200, { model_stats: statistics.read(served).map(statisticsView) });
}

function statisticsView(stats: ModelStatistics): object {
  return {
    name: stats.name,
    version: stats.version,
    last_inference: stats.lastInference,
    inference_count: stats.inferenceCount,
    execution_count: stats.executionCount,
    inference_stats: {
      success: durationView(stats.success),
      fail: durationView(stats.fail),
      queue: durationView(stats.queue),
      ...computeView(stats),
      cache_hit: durationView(stats.cacheHit),
    },
    batch_stats: stats.batches.map((batch) => ({ batch_size: batch.rows, ...computeView(batch) })),
  };
}

function computeView({ input, compute, output }: Omit<BatchStatistics, 'rows'>): object {
  return {
    compute_input: durationView(input),
    compute_infer: durationView(compute),
    compute_output: durationView(output),
  };
}

function durationView({ count, totalMs }: DurationStatistic): { count: number; ns: number } {
  return { count, ns: Math.round(totalMs * 1e6) };
}
