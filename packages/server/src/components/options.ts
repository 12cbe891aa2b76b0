/** The options that a node is started with. */
import type { TlsFiles } from '@skein/http';
import type { GivenKey } from '../access/keys/given-key.ts';
import type { LogFormat, LogLevel } from '../telemetry/log.ts';

export interface NodeOptions {
  /** Address to listen on; anything but loopback requires API keys. Default: `127.0.0.1`. */
  readonly host?: string;
  /** HTTP port. Default: 0, any free one. */
  readonly port?: number;
  /** Whether another port may be used if `port` is taken. Default: no. */
  readonly portIsDefault?: boolean;
  readonly grpcPort?: number;
  readonly grpcPortIsDefault?: boolean;
  /** Folder of all data of the node, usually `.skein`. */
  readonly dataFolder: string;
  /** Largest request body, in bytes. Default: 64 MiB. */
  readonly maxBodyBytes?: number;
  /**
   * Memory for the bodies of all requests in flight, in bytes; they may hold three quarters of it. Default: an eighth of
   * the memory.
   */
  readonly maxBodiesInFlightBytes?: number | undefined;
  /** Longest time that a request body may take to arrive, in milliseconds. Default: 30 s. */
  readonly bodyTimeoutMs?: number;
  /** HTTP connections that are kept open at once. Default: 1024. */
  readonly maxConnections?: number | undefined;
  /** Default: `off`. */
  readonly log?: LogFormat;
  /** Lowest level that is logged; default `info`. */
  readonly logLevel?: LogLevel;
  /** Both faces serve TLS with these; absent: plain text. */
  readonly tls?: TlsFiles | undefined;
  /** `auto`, the default: open on loopback, keys elsewhere. `required`: keys everywhere. */
  readonly access?: 'auto' | 'required';
  /** Keys that the node adds to its state unless they are there. */
  readonly givenKeys?: readonly GivenKey[];
  /** Origins whose pages may call the node from a browser. */
  readonly allowedOrigins?: readonly string[];
  /** OTLP/HTTP endpoint for traces; absent: the environment variables decide. */
  readonly otlpEndpoint?: string | undefined;
  /** Cores for replicas, and for jobs with them. Default: all that the container may use. */
  readonly cores?: number | undefined;
  /**
   * Threads that read requests and write answers: the node's own, and others for large JSON and gRPC messages.
   * Default: one per core, at least 2 and at most 5.
   */
  readonly gatewayThreads?: number | undefined;
  /** `redis://…`: the job store of a fleet. Default: in the data folder. */
  readonly redis?: string | undefined;
  /** `s3://…`, or a folder shared by all members: the artifacts of jobs. Default: the data folder. */
  readonly blobs?: string | undefined;
  /** Most bytes of copies of a bucket's files, for models and for jobs each. Default: 10 GiB, and at most a third of the disk. */
  readonly cacheBytes?: number | undefined;
  /** Memory for models in a fleet, in bytes. Default: three quarters of the memory. */
  readonly modelMemoryBytes?: number | undefined;
  /** Known to all members of the fleet, which forward requests to each other; absent: none is forwarded. */
  readonly fleetKey?: string | undefined;
  /** The URL at which other members call this node. Default: an address of the machine. */
  readonly advertise?: string | undefined;
  /** Jobs of different namespaces share a Redis and are invisible to each other. */
  readonly namespace?: string | undefined;
  /** Most bytes of artifacts that tenants hold together. Default: half of the disk; a bucket has no bound. */
  readonly maxArtifactsBytes?: number | undefined;
  /** Disk space that uploads and jobs keep free, in bytes. Default: 1 GiB, and at most a tenth of the disk. */
  readonly keptFreeBytes?: number | undefined;
  /** How long a federation and its ledger are kept after its end, in milliseconds. Default: 183 days. */
  readonly ledgersKeptMs?: number | undefined;
  /** Queues whose jobs the node runs itself; none: other workers run them. Default: `default`. */
  readonly queues?: readonly string[];
  /** Whether every model runs in a process of its own. Default: untrusted ones only. */
  readonly isolateModels?: boolean;
  /** Name of the server in the Open Inference Protocol's metadata. Default: `skein`. */
  readonly serverName?: string | undefined;
  /** Time in which the node ends after a signal, in milliseconds, whatever it is doing. Default: 30 s. */
  readonly graceMs?: number;
  /** Called when calls without a key become or cease to be heavy load, for a process that then saves memory. */
  readonly onKeylessLoad?: (heavy: boolean) => void;
  /** Ends the node while it starts; `startNode` then rejects. */
  readonly signal?: AbortSignal;
}

/** Defaults of a node's options. */
export const NODE_DEFAULTS = {
  host: '127.0.0.1',
  port: 0,
  portIsDefault: false,
  grpcPort: 0,
  grpcPortIsDefault: false,
  maxBodyBytes: 64 * 2 ** 20,
  log: 'off',
  access: 'auto',
} as const satisfies Partial<NodeOptions>;

/** The options with these defaults. */
export type NodeSettings = NodeOptions & Required<Pick<NodeOptions, keyof typeof NODE_DEFAULTS>>;
