/** `skein bench`: the load that a deployment carries inside its objective. */
import type { Tensor } from '@skein/onnx';
import {
  binaryBody,
  type Capacity,
  completeCurve,
  GRPC_INFER_PATH,
  grpcBody,
  jsonBody,
  latencyCurve,
  type LoadReport,
  type LoadTarget,
  measureCapacity,
  measureOverload,
  measureRate,
  sampleInputs,
  type SessionOptions,
  type Tensors,
} from '@skein/load';
import { formatDuration, formatShare } from '@skein/api/units';
import { defineCommand, type Context } from '../../command-line/command.ts';
import { connect, connectionOptions, type Connection } from '../../connection/connection.ts';
import {
  argument,
  choice,
  decimal,
  duration,
  integer,
  many,
  text,
  value,
  withDefault,
} from '../../command-line/option.ts';
import { renderBench, type Protocol, type BenchResult } from '../../output/bench.ts';
import { fetchSignature } from '../../deploying/signature.ts';
import { readInputs } from '../../tensor/given-input.ts';
import { usageError } from '../../command-line/usage.ts';
import { writeGivenFile } from '../../file.ts';

/** Bodies with different values, so that a response cache answers none of them. */
const BODIES = 16;

export const bench = defineCommand({
  name: 'bench',
  summary: 'Find the highest rate inside the objective, or measure at a given one.',
  details:
    'An open loop: requests are sent on schedule, however slow the answers are. A latency counts from the scheduled time, so a stall counts for every request that it delayed. Without --rate the highest rate is searched at which the objective holds.',
  examples: {
    'skein bench ocr-recognise --svg curve.svg': 'The capacity, and its curve',
    'skein bench risk --rate 200 --duration 10s': 'One rate',
    'skein bench risk --overload 3x': 'Three times the capacity',
  },
  arguments: { name: argument('NAME', 'The deployment.', { completes: 'deployment' }) },
  options: {
    rate: decimal(
      'N',
      'Requests per second; without it the capacity is searched.',
      [0.01, 1_000_000],
    ),
    overload: value('3x', 'Send this many times the capacity (or --rate) afterwards.', readFactor),
    duration: duration('Duration of each measurement; default 5s.', [100, 3_600_000]),
    warmup: withDefault(
      duration('Time before a measurement whose requests are not counted.'),
      '1s',
    ),
    arrivals: withDefault(choice(['poisson', 'constant'], 'Spacing of the requests.'), 'poisson'),
    seed: withDefault(integer('N', 'Seed for arrivals and values.', [0, 2 ** 31]), '1'),
    protocol: withDefault(
      choice(['binary', 'json', 'grpc'], 'Protocol: HTTP with binary tensors or JSON, or gRPC.'),
      'binary',
    ),
    input: many('NAME=VALUE', 'Send these values instead of made-up ones, as in skein infer.', {
      short: 'i',
      completes: 'file',
    }),
    image: text('FILE', 'Send the bytes of an image file.'),
    objective: duration(
      'Judge by this latency and send it as the deadline; default: the deployment’s.',
      [0.001, 600_000],
    ),
    quantile: decimal('SHARE', 'Share that must keep it; default: the deployment’s.', [0.5, 1]),
    svg: text('FILE', 'Draw latency over rate.'),
    threads: withDefault(integer('N', 'Threads that send.', [1, 64]), '1'),
    maxConnections: withDefault(
      integer(
        'N',
        'Most connections; a node keeps 1,024 HTTP connections by default.',
        [1, 60_000],
      ),
      '1000',
    ),
    timeout: withDefault(
      duration('Time after which an answer is given up.', [10, 3_600_000]),
      '30s',
    ),
    ...connectionOptions,
  },
  async run(context, given): Promise<BenchResult> {
    if (given.svg !== undefined && given.rate !== undefined) {
      throw usageError('--svg draws the curve of a search: leave --rate out.');
    }
    const connection = await connect(context, given);
    const { objectiveMs, quantile } = await promiseOf(context, connection, given);
    const signature = await fetchSignature(connection, given.name, undefined, context.signal);
    const ownValues = given.input.length > 0 || given.image !== undefined;
    const inputs: Tensors[] = ownValues
      ? [await readInputs({ ...given, data: undefined }, signature, context.cwd)]
      : Array.from({ length: BODIES }, (_, at) => sampleInputs(signature, given.seed + at));
    const options: SessionOptions = {
      target: await makeTarget(context, connection, given, inputs),
      objectiveMs,
      quantile,
      durationMs: given.duration ?? 5000,
      warmupMs: given.warmup,
      timeoutMs: given.timeout,
      arrivals: given.arrivals,
      seed: given.seed,
      threads: given.threads,
      maxConnections: given.maxConnections,
      signal: context.signal,
      onProgress: (what, progress) => {
        const seen =
          progress === undefined
            ? ''
            : `  ${formatDuration(progress.elapsedMs)}  ${progress.sent} sent, ${formatShare(progress.answered === 0 ? null : progress.answeredInTime / progress.sent)} in time`;
        context.notes.progress(`Measuring ${what}${seen}`);
      },
    };
    const head = { deployment: given.name, protocol: given.protocol, objectiveMs, quantile };

    if (given.rate !== undefined && given.overload === undefined) {
      return { ...head, at: await measureRate(options, given.rate) };
    }
    if (given.rate !== undefined && given.overload !== undefined) {
      return { ...head, overload: await measureOverload(options, given.rate, given.overload) };
    }
    const capacity = await measureCapacity(options);
    const svg =
      given.svg === undefined
        ? {}
        : { svg: await drawCurve(context, options, capacity, given.name, given.svg) };
    if (given.overload === undefined || capacity.rate === 0) return { ...head, capacity, ...svg };
    const overload = await measureOverload(options, capacity.rate, given.overload);
    return { ...head, capacity, overload, ...svg };
  },
  render: renderBench,
});

interface Given {
  readonly name: string;
  readonly protocol: Protocol;
  readonly objective: number | undefined;
  readonly quantile: number | undefined;
}

async function promiseOf(
  context: Context,
  { client }: Connection,
  given: Given,
): Promise<{ objectiveMs: number; quantile: number }> {
  const { name, objective: objectiveMs, quantile } = given;
  if (objectiveMs !== undefined) return { objectiveMs, quantile: quantile ?? 0.99 };
  const { objective } = (await client.getDeployment({ name })).settings;
  return { objectiveMs: objective.latencyMs, quantile: quantile ?? objective.quantile };
}

async function makeTarget(
  context: Context,
  { client, url, key, trust }: Connection,
  given: Given,
  inputs: readonly Readonly<Record<string, Tensor>>[],
): Promise<LoadTarget> {
  const { name, protocol } = given;
  const deadline =
    given.objective === undefined ? undefined : String(Math.max(1, Math.round(given.objective)));
  const { hostname, port, protocol: scheme } = new URL(url);
  const tls = scheme === 'https:' ? { tls: trust ?? {} } : {};
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  const authorization: Record<string, string> =
    key === undefined ? {} : { authorization: `Bearer ${key}` };
  if (protocol === 'grpc') {
    const { ports } = await client.getNode();
    if (ports.grpc === null) throw usageError('The node has no gRPC port.');
    return {
      ...tls,
      protocol: 'grpc',
      host,
      port: ports.grpc,
      path: GRPC_INFER_PATH,
      headers: {
        ...authorization,
        ...(deadline === undefined ? {} : { 'grpc-timeout': `${deadline}m` }),
      },
      bodies: inputs.map((each) => grpcBody(name, undefined, each).body),
    };
  }
  const bodies = inputs.map(protocol === 'json' ? jsonBody : binaryBody);
  return {
    ...tls,
    protocol: 'http',
    host,
    port: port === '' ? (scheme === 'https:' ? 443 : 80) : Number(port),
    path: `/v2/models/${encodeURIComponent(name)}/infer`,
    // The header's length depends only on the shapes, which equal the shapes of the first.
    headers: {
      ...authorization,
      ...(deadline === undefined ? {} : { 'skein-timeout-ms': deadline }),
      ...bodies[0]?.headers,
    },
    bodies: bodies.map(({ body }) => body),
  };
}

async function drawCurve(
  context: Context,
  options: SessionOptions,
  capacity: Capacity<LoadReport>,
  name: string,
  file: string,
): Promise<string> {
  const points = await completeCurve(options, capacity);
  const svg = latencyCurve({
    title: `${name}: latency over rate`,
    subtitle: `${options.arrivals === 'poisson' ? 'Poisson' : 'evenly spaced'} arrivals, ${formatDuration(options.durationMs)} each; objective ${formatDuration(options.objectiveMs)} for ${formatShare(options.quantile)} of requests`,
    objectiveMs: options.objectiveMs,
    capacity: capacity.rate,
    points,
  });
  return writeGivenFile(context.cwd, file, svg);
}

function readFactor(given: string): number {
  const factor = Number(/^(\d+\.?\d*)[x×]?$/.exec(given)?.[1] ?? Number.NaN);
  if (!(factor > 0 && factor <= 100)) throw new Error(`"${given}" is not a factor such as 3x`);
  return factor;
}
