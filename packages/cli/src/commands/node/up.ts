/** `skein up`: a node on this machine, until Ctrl-C. */
import { resolve } from 'node:path';
import type { Client } from '@skein/api/client';
import { startNode, type NodeOptions, type RunningNode } from '@skein/server';
import { keepHeapSmall } from '../../process/bounded-heap.ts';
import { defineCommand, type Context } from '../../command-line/command.ts';
import {
  connect,
  dataFolder,
  dataOption,
  type Connection,
  type ConnectionChoice,
} from '../../connection/connection.ts';
import { orEnvironment } from '../../command-line/environment.ts';
import { EXAMPLES } from '../../examples/example.ts';
import { type ExampleRun, nextCommand, runExample } from '../../examples/example-run.ts';
import { showLanguageExample } from '../../examples/language-example.ts';
import { mustEndWithin } from '../../process/exit.ts';
import { readGivenFile } from '../../file.ts';
import {
  bytes,
  choice,
  duration,
  flag,
  integer,
  many,
  text,
  withDefault,
} from '../../command-line/option.ts';
import { renderUp } from '../../output/up.ts';
import { trustOptions, type TrustChoice } from '../../connection/trust.ts';
import { usageError } from '../../command-line/usage.ts';

type LogFormat = NodeOptions['log'];
type LogLevel = NonNullable<NodeOptions['logLevel']>;

const HTTP_PORT = 4700;
const GRPC_PORT = 4701;
const PORTS = { min: 0, max: 65_535 };
const DEFAULT_GRACE_MS = 30_000;

/** Those that a platform may set in the environment. */
const portOption = integer(
  'N',
  `HTTP port (or PORT); default: ${HTTP_PORT}, or the next free one.`,
  PORTS,
);
const graceOption = duration(
  'In which the node ends once it is asked to (or SKEIN_GRACE); default: 30s. Cloud Run gives it 10s.',
  { min: 0, max: 3_600_000 },
);

const modelMemoryOption = bytes(
  'Memory for models on a member of a fleet (or SKEIN_MODEL_MEMORY); default: three quarters of what the machine, or its container, has.',
);

export interface UpResult {
  readonly url: string;
  /** `host:port`. */
  readonly grpcUrl: string;
  readonly access: 'open' | 'keys';
  readonly dataFolder: string;
  readonly pid: number;
  /** From the start of the process. */
  readonly readyMs: number;
  readonly deployments: readonly { readonly name: string; readonly status: string }[];
  readonly example?: ExampleRun | undefined;
  /** The command to try next. */
  readonly next: string;
}

export const up = defineCommand({
  name: 'up',
  summary: 'Start a node on this machine; Ctrl-C drains and stops it.',
  details:
    'Deployments, versions and keys are kept in the data folder and are back after a restart. On loopback the node is open; bound to any other address it requires API keys, of which the first is made with skein keys create, or given in SKEIN_ADMIN_KEY; SKEIN_READ_KEY gives one that may only read, such as for Prometheus. The first Ctrl-C, or SIGTERM, answers what was accepted and exits 0 within --grace and a second, whatever runs; a second one exits at once.',
  examples: [
    { command: 'skein up --example ocr', does: 'With the example that reads text in images' },
    {
      command: 'skein up --host 0.0.0.0 --tls-cert cert.pem --tls-key key.pem',
      does: 'For other machines, with keys, over TLS',
    },
    {
      command: 'skein up --redis redis://10.0.0.5 --blobs s3://team/skein --queues none',
      does: 'A member of a fleet that leaves jobs to workers',
    },
  ],
  arguments: {},
  options: {
    host: withDefault(text('ADDRESS', 'Address to listen on.'), '127.0.0.1'),
    port: portOption,
    grpcPort: integer(
      'N',
      `gRPC port, beside the HTTP port, which answers gRPC too; default: ${GRPC_PORT}, or the next free one.`,
      PORTS,
    ),
    data: dataOption,
    example: choice(EXAMPLES, 'Deploy an example and show how to call it.'),
    keys: withDefault(
      choice(['auto', 'required'], 'required: ask for API keys on loopback too.'),
      'auto',
    ),
    allowOrigin: many('ORIGIN', 'Let pages of this origin call the node from a browser.'),
    cores: integer(
      'N',
      'Cores that replicas may use; default: what the machine, or its container, gives.',
      { min: 1, max: 1024 },
    ),
    maxBody: withDefault(bytes('Largest request body.'), '64MiB'),
    maxBodiesInFlight: bytes(
      'Largest sum of the bodies of all requests in flight; default: an eighth of the memory.',
    ),
    bodyTimeout: withDefault(
      duration('Longest time that a request body may take to arrive.', {
        min: 100,
        max: 3_600_000,
      }),
      '30s',
    ),
    tlsCert: text('FILE', 'Speak TLS with this certificate chain, in PEM; read again on change.', {
      completes: 'file',
    }),
    tlsKey: text('FILE', 'Private key of --tls-cert.', { completes: 'file' }),
    tlsClientCa: text('FILE', 'Admit only clients with a certificate of these authorities.', {
      completes: 'file',
    }),
    cert: trustOptions.cert,
    certKey: trustOptions.certKey,
    keepFree: bytes(
      'What uploads and jobs leave free of the disk; default: 1GiB, and at most a tenth of it.',
    ),
    maxArtifacts: bytes(
      'Most bytes of artifacts that all tenants hold together; default: half of the disk.',
    ),
    maxConnections: integer('N', 'HTTP connections kept open at once; default: 1024.', {
      min: 16,
      max: 1_000_000,
    }),
    serverName: text(
      'NAME',
      'What /v2 calls the server; default: skein. Two of NVIDIA’s example clients accept triton alone.',
    ),
    isolateModels: flag(
      'Run every model in a process of its own, also when its settings say otherwise.',
    ),
    grace: graceOption,
    log: choice(
      ['pretty', 'json', 'off'],
      'Default: json; on a terminal pretty, and there only warnings and errors.',
    ),
    logLevel: choice(['debug', 'info', 'warn', 'error'], 'Least weight of what is logged.'),
    redis: text('URL', 'Redis that holds the state and the jobs of a fleet (or SKEIN_REDIS).'),
    blobs: text(
      'PLACE',
      'Bucket (s3://… or gs://…) or shared folder of artifacts (or SKEIN_BLOBS).',
    ),
    modelMemory: modelMemoryOption,
    fleetKey: text(
      'FILE',
      'File with the key that all nodes of a fleet share (or SKEIN_FLEET_KEY); with it, requests that a node refuses go to others.',
      { completes: 'file' },
    ),
    advertise: text(
      'URL',
      'Where other nodes of the fleet reach this one (or SKEIN_ADVERTISE); default: its first address that is no loopback.',
    ),
    namespace: text('NAME', 'State and jobs of other namespaces in the same Redis are not seen.'),
    queues: text(
      'LIST',
      'Queues whose jobs this node runs itself, with commas; "none" leaves all to workers. Default: default.',
    ),
    otlp: text('URL', 'Send OpenTelemetry traces to this OTLP/HTTP endpoint.'),
  },
  endsItself: true,
  async run(context, options): Promise<UpResult | undefined> {
    const asked = interrupted(context.signal);
    const port = orEnvironment(context, options.port, 'PORT', portOption);
    const graceMs =
      orEnvironment(context, options.grace, 'SKEIN_GRACE', graceOption) ?? DEFAULT_GRACE_MS;
    void asked.then(() => mustEndWithin(graceMs));
    const folder = dataFolder(context, options.data);
    context.notes.progress('Starting …');
    if (context.signal.aborted) return undefined;
    const starting = startNode({
      host: options.host,
      port: port ?? HTTP_PORT,
      portIsDefault: port === undefined,
      grpcPort: options.grpcPort ?? GRPC_PORT,
      grpcPortIsDefault: options.grpcPort === undefined,
      dataFolder: folder,
      maxBodyBytes: options.maxBody,
      ...(options.maxBodiesInFlight === undefined
        ? {}
        : { maxBodiesInFlightBytes: options.maxBodiesInFlight }),
      bodyTimeoutMs: options.bodyTimeout,
      keptFreeBytes: options.keepFree,
      maxArtifactsBytes: options.maxArtifacts,
      ...(options.maxConnections === undefined ? {} : { maxConnections: options.maxConnections }),
      ...logOf(options, process.stderr.isTTY),
      tls: tlsOf(context, options),
      access: options.keys,
      givenKeys: givenKeysOf(context),
      allowedOrigins: options.allowOrigin,
      ...fleetOf(context, options),
      ...(await peersOf(context, options)),
      modelMemoryBytes: orEnvironment(
        context,
        options.modelMemory,
        'SKEIN_MODEL_MEMORY',
        modelMemoryOption,
      ),
      ...(options.otlp === undefined ? {} : { otlpEndpoint: options.otlp }),
      ...(options.cores === undefined ? {} : { cores: options.cores }),
      serverName: options.serverName,
      isolateModels: options.isolateModels,
      graceMs,
      onKeylessLoad: keepHeapSmall,
      signal: context.signal,
    });
    let node: RunningNode;
    try {
      node = await starting;
    } catch (error) {
      // An aborted start has already closed its parts.
      if (context.signal.aborted) return undefined;
      throw error;
    }
    try {
      const result = await Promise.race([describe(context, options, node, folder), asked]);
      if (result !== undefined) {
        context.stay(async () => {
          // What is declared in a fleet holds on all of its nodes, and the model's folder is on one.
          const isMember = (options.redis ?? context.env['SKEIN_REDIS']) !== undefined;
          const showing =
            options.example === 'ocr' && !isMember
              ? showLanguageExample(context, connectTo(context, node, options), folder)
              : undefined;
          await drainWhenAsked(context, node);
          await showing;
        });
        return result;
      }
    } catch (error) {
      if (!context.signal.aborted) {
        await node.drain();
        throw error;
      }
    }
    await drainWhenAsked(context, node);
    return undefined;
  },
  render: (result, style) => (result === undefined ? '' : renderUp(result, style)),
});

/** Deploys the example, if one is requested, and describes the node. */
async function describe(
  context: Context,
  options: Parameters<typeof connectTo>[2] & {
    readonly example: (typeof EXAMPLES)[number] | undefined;
  },
  node: RunningNode,
  dataFolder: string,
): Promise<UpResult> {
  const connection = await connectTo(context, node, options);
  const example =
    options.example === undefined
      ? undefined
      : await runExample(context, connection, options.example);
  return {
    url: node.url,
    grpcUrl: node.grpcUrl,
    access: node.access,
    dataFolder,
    pid: process.pid,
    readyMs: performance.now(),
    deployments: connection === undefined ? [] : await deployed(connection.client),
    ...(example === undefined ? {} : { example }),
    next: nextCommand(context, example),
  };
}

/** Of the secrets of a platform. */
function givenKeysOf({ env }: Context): NonNullable<NodeOptions['givenKeys']> {
  const scopes = { admin: env['SKEIN_ADMIN_KEY'], read: env['SKEIN_READ_KEY'] };
  return (['admin', 'read'] as const).flatMap((scope) => {
    const token = scopes[scope];
    return token === undefined || token === '' ? [] : [{ scope, token }];
  });
}

function tlsOf(
  { cwd }: Context,
  given: {
    readonly tlsCert: string | undefined;
    readonly tlsKey: string | undefined;
    readonly tlsClientCa: string | undefined;
  },
): NodeOptions['tls'] {
  const { tlsCert, tlsKey, tlsClientCa } = given;
  if (tlsCert === undefined && tlsKey === undefined && tlsClientCa === undefined) return undefined;
  if (tlsCert === undefined || tlsKey === undefined) {
    throw usageError('TLS needs both --tls-cert FILE and --tls-key FILE.');
  }
  return {
    certificate: resolve(cwd, tlsCert),
    key: resolve(cwd, tlsKey),
    clientAuthorities: tlsClientCa === undefined ? undefined : resolve(cwd, tlsClientCa),
  };
}

function fleetOf(
  { env }: Context,
  given: {
    readonly redis: string | undefined;
    readonly blobs: string | undefined;
    readonly namespace: string | undefined;
    readonly queues: string | undefined;
  },
): Pick<NodeOptions, 'redis' | 'blobs' | 'namespace' | 'queues'> {
  const redis = given.redis ?? env['SKEIN_REDIS'];
  const blobs = given.blobs ?? env['SKEIN_BLOBS'];
  if (redis !== undefined && blobs === undefined) {
    throw usageError(
      '--redis needs --blobs PLACE: what jobs read and leave behind must be where every worker sees it.',
    );
  }
  const { namespace, queues = 'default' } = given;
  return {
    redis,
    blobs,
    namespace,
    queues: queues === 'none' ? [] : queues.split(',').map((name) => name.trim()),
  };
}

/** How the node reaches the others of its fleet, and is reached by them. */
async function peersOf(
  { env, cwd }: Context,
  given: { readonly fleetKey: string | undefined; readonly advertise: string | undefined },
): Promise<Pick<NodeOptions, 'fleetKey' | 'advertise'>> {
  const { fleetKey: file } = given;
  const fleetKey =
    file === undefined
      ? env['SKEIN_FLEET_KEY'] || undefined
      : (await readGivenFile(cwd, file)).toString('utf8').trim();
  const advertise = given.advertise ?? (env['SKEIN_ADVERTISE'] || undefined);
  if (advertise !== undefined && !/^https?:\/\/[^/]+$/.test(advertise)) {
    throw usageError(
      `--advertise takes http://HOST:PORT or https://HOST:PORT, not ${JSON.stringify(advertise)}.`,
    );
  }
  return { fleetKey, advertise };
}

/**
 * On a terminal only warnings are logged by default, so that the addresses of the node stay
 * visible.
 */
function logOf(
  given: { readonly log: LogFormat | undefined; readonly logLevel: LogLevel | undefined },
  isTerminal: boolean,
): Pick<NodeOptions, 'log' | 'logLevel'> {
  const quiet = isTerminal && given.log === undefined;
  return {
    log: given.log ?? (isTerminal ? 'pretty' : 'json'),
    logLevel: given.logLevel ?? (quiet ? 'warn' : 'info'),
  };
}

function interrupted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    else signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
}

async function drainWhenAsked(context: Context, node: RunningNode): Promise<void> {
  await interrupted(context.signal);
  context.notes.line('Draining: what was accepted is answered first. Ctrl-C again stops at once.');
  await node.drain();
}

/** Absent when the node asks for a key or a certificate that this command was not given. */
async function connectTo(
  context: Context,
  { url, access }: RunningNode,
  options: Pick<TrustChoice, 'cert' | 'certKey'> &
    Pick<ConnectionChoice, 'data'> & { readonly tlsClientCa: string | undefined },
): Promise<Connection | undefined> {
  const key = context.env['SKEIN_KEY'];
  const connection = await connect(context, { ...options, server: url, key, ca: undefined });
  const admitted = options.tlsClientCa === undefined || connection.trust?.cert !== undefined;
  return admitted && (access === 'open' || key !== undefined) ? connection : undefined;
}

async function deployed(client: Client): Promise<UpResult['deployments']> {
  const { deployments } = await client.listDeployments();
  return deployments
    .map(({ name, status }) => ({ name, status }))
    .toSorted((one, other) => (one.name < other.name ? -1 : 1));
}
