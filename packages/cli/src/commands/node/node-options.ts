/** The options of `skein up`, and the node that they and the environment describe. */
import { resolve } from 'node:path';
import type { NodeOptions } from '@skein/server';
import type { Context, OptionValues } from '../../command-line/command.ts';
import {
  cacheOption,
  fleetPlace,
  orEnvironment,
  queuesIn,
} from '../../command-line/environment.ts';
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
import { usageError } from '../../command-line/usage.ts';
import { dataFolder, dataOption } from '../../connection/connection.ts';
import { trustOptions } from '../../connection/trust.ts';
import { EXAMPLES } from '../../examples/example.ts';
import { readGivenFile } from '../../file.ts';

const HTTP_PORT = 4700;
const GRPC_PORT = 4701;
const PORTS = [0, 65_535] as const;
const DEFAULT_GRACE_MS = 30_000;

/** Options that a platform may set in the environment. */
const portOption = integer(
  'N',
  `HTTP port (or PORT); default: ${HTTP_PORT}, or the next free one.`,
  PORTS,
);
const graceOption = duration(
  'Time in which the node ends once it is asked to (or SKEIN_GRACE); default: 30s. Cloud Run gives it 10s.',
  [0, 3_600_000],
);

const modelMemoryOption = bytes(
  'Memory for models on a member of a fleet (or SKEIN_MODEL_MEMORY); default: three quarters of what the machine, or its container, has.',
);
export const upOptions = {
  host: withDefault(text('ADDRESS', 'Address to listen on.'), '127.0.0.1'),
  port: portOption,
  grpcPort: integer(
    'N',
    `gRPC port; the HTTP port answers gRPC too; default: ${GRPC_PORT}, or the next free one.`,
    PORTS,
  ),
  data: dataOption,
  example: choice(EXAMPLES, 'Deploy an example and show how to call it.'),
  keys: withDefault(
    choice(
      ['auto', 'required'],
      'Demand for API keys. auto: on every address but loopback; required: on loopback too.',
    ),
    'auto',
  ),
  allowOrigin: many('ORIGIN', 'Let pages of this origin call the node from a browser.'),
  cores: integer(
    'N',
    'Cores that replicas may use; default: what the machine, or its container, gives.',
    [1, 1024],
  ),
  gatewayThreads: integer(
    'N',
    'Threads that read requests and write answers: the node’s own, and others for large JSON and gRPC messages; default: one per core, 2 to 5.',
    [1, 64],
  ),
  maxBody: withDefault(bytes('Largest request body.'), '64MiB'),
  maxBodiesInFlight: bytes(
    'Memory for bodies; the requests in flight may hold three quarters of it; default: an eighth of the memory.',
  ),
  bodyTimeout: withDefault(
    duration('Longest time that a request body may take to arrive.', [100, 3_600_000]),
    '30s',
  ),
  tlsCert: text('FILE', 'Serve TLS with this certificate chain, in PEM; read again on change.'),
  tlsKey: text('FILE', 'Private key of --tls-cert.'),
  tlsClientCa: text('FILE', 'Admit only clients with a certificate of these authorities.'),
  cert: trustOptions.cert,
  certKey: trustOptions.certKey,
  keepFree: bytes(
    'Disk space that uploads and jobs leave free; default: 1GiB, or a tenth of the disk where that is less.',
  ),
  keepLedgers: integer(
    'DAYS',
    'Days that a federation and its ledger are kept after its end; default: 183, half a year.',
    [183, 36_500],
  ),
  maxArtifacts: bytes(
    'Most bytes of artifacts that all tenants hold together; default: half of the disk.',
  ),
  maxConnections: integer(
    'N',
    'HTTP connections kept open at once; default: 1024.',
    [16, 1_000_000],
  ),
  serverName: text(
    'NAME',
    'Name of the server in /v2; default: skein. Two of NVIDIA’s example clients accept only triton.',
  ),
  isolateModels: flag('Run every model in a process of its own, whatever its settings.'),
  grace: graceOption,
  log: choice(
    ['pretty', 'json', 'off'],
    'Form of the log; default: json; on a terminal pretty, and there only warnings and errors.',
  ),
  logLevel: choice(['debug', 'info', 'warn', 'error'], 'Lowest level that is logged.'),
  redis: text('URL', 'Redis that holds the state and the jobs of a fleet (or SKEIN_REDIS).'),
  blobs: text('PLACE', 'Bucket (s3://… or gs://…) or shared folder of artifacts (or SKEIN_BLOBS).'),
  cache: cacheOption,
  modelMemory: modelMemoryOption,
  fleetKey: text(
    'FILE',
    'File with the key that all nodes of a fleet share (or SKEIN_FLEET_KEY); with it, requests that a node refuses go to others.',
  ),
  advertise: text(
    'URL',
    'Address at which other nodes of the fleet reach this one (or SKEIN_ADVERTISE); default: its first address other than loopback.',
  ),
  namespace: text('NAME', 'Namespace in Redis; state and jobs of other namespaces are not seen.'),
  queues: text(
    'LIST',
    'Queues whose jobs this node runs itself, with commas (or SKEIN_QUEUES); "none" leaves all to workers. Default: default.',
  ),
  otlp: text('URL', 'Send OpenTelemetry traces to this OTLP/HTTP endpoint.'),
};

export type UpOptions = OptionValues<typeof upOptions>;

const DAY_MS = 86_400_000;

/** Options of the node itself. @throws SkeinError USAGE. */
export async function nodeOptions(context: Context, options: UpOptions): Promise<NodeOptions> {
  const port = orEnvironment(context, options.port, 'PORT', portOption);
  return {
    host: options.host,
    port: port ?? HTTP_PORT,
    portIsDefault: port === undefined,
    grpcPort: options.grpcPort ?? GRPC_PORT,
    grpcPortIsDefault: options.grpcPort === undefined,
    dataFolder: dataFolder(context, options.data),
    maxBodyBytes: options.maxBody,
    maxBodiesInFlightBytes: options.maxBodiesInFlight,
    bodyTimeoutMs: options.bodyTimeout,
    keptFreeBytes: options.keepFree,
    ledgersKeptMs: options.keepLedgers === undefined ? undefined : options.keepLedgers * DAY_MS,
    maxArtifactsBytes: options.maxArtifacts,
    maxConnections: options.maxConnections,
    ...logOf(options, process.stderr.isTTY),
    tls: tlsOf(context, options),
    access: options.keys,
    givenKeys: givenKeysOf(context),
    allowedOrigins: options.allowOrigin,
    ...fleetOf(context, options),
    ...(await peersOf(context, options)),
    cacheBytes: orEnvironment(context, options.cache, 'SKEIN_CACHE', cacheOption),
    modelMemoryBytes: orEnvironment(
      context,
      options.modelMemory,
      'SKEIN_MODEL_MEMORY',
      modelMemoryOption,
    ),
    otlpEndpoint: options.otlp,
    cores: options.cores,
    gatewayThreads: options.gatewayThreads,
    serverName: options.serverName,
    isolateModels: options.isolateModels,
    graceMs: graceOf(context, options),
    signal: context.signal,
  };
}

/** Time in which the node ends, in milliseconds. @throws SkeinError USAGE. */
export function graceOf(context: Context, { grace }: Pick<UpOptions, 'grace'>): number {
  return orEnvironment(context, grace, 'SKEIN_GRACE', graceOption) ?? DEFAULT_GRACE_MS;
}

/** Keys among the secrets of a platform. */
function givenKeysOf({ env }: Context): NonNullable<NodeOptions['givenKeys']> {
  const scopes = { admin: env['SKEIN_ADMIN_KEY'], read: env['SKEIN_READ_KEY'] };
  return (['admin', 'read'] as const).flatMap((scope) => {
    const token = scopes[scope];
    return token === undefined || token === '' ? [] : [{ scope, token }];
  });
}

function tlsOf({ cwd }: Context, { tlsCert, tlsKey, tlsClientCa }: UpOptions): NodeOptions['tls'] {
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
  context: Context,
  given: UpOptions,
): Pick<NodeOptions, 'redis' | 'blobs' | 'namespace' | 'queues'> {
  const { redis, blobs } = fleetPlace(context, given);
  if (redis !== undefined && blobs === undefined) {
    throw usageError(
      '--redis needs --blobs PLACE: what jobs read and leave behind must be where every worker sees it.',
    );
  }
  const { namespace } = given;
  const queues = given.queues ?? (context.env['SKEIN_QUEUES'] || 'default');
  return {
    redis,
    blobs,
    namespace,
    queues:
      queues === 'none'
        ? []
        : queuesIn(given.queues === undefined ? 'SKEIN_QUEUES' : '--queues', queues),
  };
}

/** How the node reaches the others of its fleet, and is reached by them. */
async function peersOf(
  { env, cwd }: Context,
  given: UpOptions,
): Promise<Pick<NodeOptions, 'fleetKey' | 'advertise'>> {
  const { fleetKey: file } = given;
  const fleetKey =
    file === undefined
      ? env['SKEIN_FLEET_KEY'] || undefined
      : (await readGivenFile(cwd, file)).toString('utf8').trim();
  const advertise = given.advertise ?? (env['SKEIN_ADVERTISE'] || undefined);
  if (advertise !== undefined && !/^https?:\/\/[^/]+$/.test(advertise)) {
    throw usageError(
      `${given.advertise === undefined ? 'SKEIN_ADVERTISE' : '--advertise'} takes http://HOST:PORT or https://HOST:PORT, not ${JSON.stringify(advertise)}.`,
    );
  }
  return { fleetKey, advertise };
}

/**
 * On a terminal only warnings are logged by default, so that the addresses of the node stay
 * visible.
 */
function logOf(given: UpOptions, isTerminal: boolean): Pick<NodeOptions, 'log' | 'logLevel'> {
  const quiet = isTerminal && given.log === undefined;
  return {
    log: given.log ?? (isTerminal ? 'pretty' : 'json'),
    logLevel: given.logLevel ?? (quiet ? 'warn' : 'info'),
  };
}
