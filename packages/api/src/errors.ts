/**
 * The error table: every error that a user can get has a code here, with its HTTP and gRPC status,
 * the party that has to act, and the fix. `docs/reference/errors.md` is generated from this table,
 * and a test fails when the two drift apart.
 *
 * A message says what happened, with the offending value; the fix says what to do next. Messages of
 * faults contain no internals.
 */
interface ErrorRow {
  /** HTTP status. */
  readonly http: number;
  /** gRPC status code (google.rpc.Code). */
  readonly grpc: number;
  /**
   * `user`: the request must change. `load`: the same request may succeed later. `fault`: a fault
   * of Skein.
   */
  readonly kind: 'user' | 'load' | 'fault';
  /** When it happens, for the reference page. */
  readonly meaning: string;
  /** What to do. */
  readonly fix: string;
}

const GRPC = {
  CANCELLED: 1,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
} as const;

export const ERRORS = {
  // The request itself.
  BODY_NOT_JSON: {
    http: 400,
    grpc: GRPC.INVALID_ARGUMENT,
    kind: 'user',
    meaning: 'The body, or the JSON part of a binary body, is not valid JSON.',
    fix: 'Send valid JSON; the message gives the position of the first error.',
  },
  REQUEST_INVALID: {
    http: 400,
    grpc: GRPC.INVALID_ARGUMENT,
    kind: 'user',
    meaning: 'A field of the request is missing, unknown or of the wrong type.',
    fix: 'Correct the field that the message names; /docs lists every field.',
  },
  BODY_TOO_LARGE: {
    http: 413,
    grpc: GRPC.RESOURCE_EXHAUSTED,
    kind: 'user',
    meaning: 'The body is larger than the node accepts.',
    fix: 'Send a smaller body, or start the node with a larger --max-body.',
  },
  BODIES_TOO_LARGE: {
    http: 503,
    grpc: GRPC.RESOURCE_EXHAUSTED,
    kind: 'load',
    meaning:
      'The bodies of all requests in flight take all memory that the node reserves for bodies.',
    fix: 'Retry after Retry-After, or start the node with larger --max-bodies-in-flight.',
  },
  BODY_TOO_SLOW: {
    http: 408,
    grpc: GRPC.DEADLINE_EXCEEDED,
    kind: 'user',
    meaning: 'The body did not arrive within the time allowed, or a file came too slowly.',
    fix: 'Send the request again over a faster connection, or start the node with a longer --body-timeout.',
  },
  HEADERS_TOO_LARGE: {
    http: 431,
    grpc: GRPC.RESOURCE_EXHAUSTED,
    kind: 'user',
    meaning: 'The headers of the request are larger than the node accepts.',
    fix: 'Send fewer or shorter headers; tensors belong in the body.',
  },
  ENCODING_UNSUPPORTED: {
    http: 415,
    grpc: GRPC.UNIMPLEMENTED,
    kind: 'user',
    meaning: 'The body is compressed in a way that the node does not read.',
    fix: 'Send the body uncompressed, or compressed with gzip or deflate.',
  },
  HEADER_LENGTH_INVALID: {
    http: 400,
    grpc: GRPC.INVALID_ARGUMENT,
    kind: 'user',
    meaning: 'Inference-Header-Content-Length is not a number, or is larger than the body.',
    fix: 'Set it to the exact length in bytes of the JSON part.',
  },
  INPUT_UNKNOWN: {
    http: 400,
    grpc: GRPC.INVALID_ARGUMENT,
    kind: 'user',
    meaning: 'The request names an input that the model does not have.',
    fix: 'Use the names that the model metadata lists.',
  },
  INPUT_MISSING: {
    http: 400,
    grpc: GRPC.INVALID_ARGUMENT,
    kind: 'user',
    meaning: 'An input of the model was not sent.',
    fix: 'Send every input that the model metadata lists.',
  },
  INPUT_SHAPE: {
    http: 400,
    grpc: GRPC.INVALID_ARGUMENT,
    kind: 'user',
    meaning: 'The shape of an input does not fit the model.',
    fix: 'Send the shape that the model metadata lists; -1 there means any size.',
  },
  INPUT_DATATYPE: {
    http: 400,
    grpc: GRPC.INVALID_ARGUMENT,
    kind: 'user',
    meaning: 'The datatype of an input does not fit the model.',
    fix: 'Send the datatype that the model metadata lists.',
  },
  INPUT_DATA: {
    http: 400,
    grpc: GRPC.INVALID_ARGUMENT,
    kind: 'user',
    meaning: 'The data of an input do not fill its shape, or a value does not fit its datatype.',
    fix: 'Send exactly as many values, or bytes, as the shape and datatype take.',
  },
  INPUT_NOT_FINITE: {
    http: 400,
    grpc: GRPC.INVALID_ARGUMENT,
    kind: 'user',
    meaning: 'An input holds NaN or infinity, and the deployment allows only finite values.',
    fix: 'Send finite values, or deploy with --allow-non-finite.',
  },
  OUTPUT_UNKNOWN: {
    http: 400,
    grpc: GRPC.INVALID_ARGUMENT,
    kind: 'user',
    meaning: 'The request names an output that the model does not have.',
    fix: 'Use the names that the model metadata lists.',
  },
  INPUT_REJECTED: {
    http: 400,
    grpc: GRPC.INVALID_ARGUMENT,
    kind: 'user',
    meaning: 'The model itself, or the composition, refused the input.',
    fix: 'The message says why; compare the input with the model metadata.',
  },
  IMAGE_INVALID: {
    http: 400,
    grpc: GRPC.INVALID_ARGUMENT,
    kind: 'user',
    meaning: 'The bytes are not an image that can be decoded, or the image is too large.',
    fix: 'Send a PNG, JPEG or WebP image of at most 50 megapixels.',
  },
  ROUTE_UNKNOWN: {
    http: 404,
    grpc: GRPC.UNIMPLEMENTED,
    kind: 'user',
    meaning: 'There is no such path or method.',
    fix: 'See /docs for the paths and their methods.',
  },
  METHOD_NOT_ALLOWED: {
    http: 405,
    grpc: GRPC.UNIMPLEMENTED,
    kind: 'user',
    meaning: 'The path exists, but not with this method.',
    fix: 'Use one of the methods in the Allow header.',
  },
  MODEL_UNKNOWN: {
    http: 404,
    grpc: GRPC.NOT_FOUND,
    kind: 'user',
    meaning: 'No deployment has this name.',
    fix: '`skein ls` lists the deployments.',
  },
  VERSION_UNKNOWN: {
    http: 404,
    grpc: GRPC.NOT_FOUND,
    kind: 'user',
    meaning: 'The model has no such version.',
    fix: '`skein show NAME` lists the versions.',
  },
  KEY_UNKNOWN: {
    http: 404,
    grpc: GRPC.NOT_FOUND,
    kind: 'user',
    meaning: 'There is no API key with this id.',
    fix: '`skein keys ls` lists the keys.',
  },
  KEYS_TOO_MANY: {
    http: 409,
    grpc: GRPC.RESOURCE_EXHAUSTED,
    kind: 'user',
    meaning: 'The node has reached its limit of API keys; revoked keys count too.',
    fix: 'Use one key for many calls; `skein keys ls` lists the existing keys.',
  },
  REVOCATION_NOT_DURABLE: {
    http: 507,
    grpc: GRPC.RESOURCE_EXHAUSTED,
    kind: 'load',
    meaning:
      'The key is revoked and refused from now on, but the revocation is not on disk yet: a restart before it is written would restore the key.',
    fix: 'Free space in the data folder. The node retries automatically; `skein keys show ID` says when it is durable, and revoking again retries at once.',
  },
  // Access.
  KEY_MISSING: {
    http: 401,
    grpc: GRPC.UNAUTHENTICATED,
    kind: 'user',
    meaning: 'The node requires an API key, and none was sent.',
    fix: 'Send `Authorization: Bearer KEY`; `skein keys create` makes one on the node.',
  },
  KEY_INVALID: {
    http: 401,
    grpc: GRPC.UNAUTHENTICATED,
    kind: 'user',
    meaning: 'The API key is unknown, revoked or expired.',
    fix: 'Ask for a new key; `skein keys create` makes one on the node.',
  },
  SCOPE_MISSING: {
    http: 403,
    grpc: GRPC.PERMISSION_DENIED,
    kind: 'user',
    meaning: 'The API key does not have the scope that this call needs.',
    fix: 'Use a key with the scope that the message names.',
  },
  ORIGIN_FORBIDDEN: {
    http: 403,
    grpc: GRPC.PERMISSION_DENIED,
    kind: 'user',
    meaning:
      'A browser page of another origin, or one under a foreign name, called a node that is open without keys.',
    fix: 'Call from the node’s own page, or start the node with keys and allow the origin.',
  },
  RATE_LIMITED: {
    http: 429,
    grpc: GRPC.RESOURCE_EXHAUSTED,
    kind: 'load',
    meaning: 'The tenant sent more requests per second than its limit.',
    fix: 'Wait for Retry-After, or raise the limit of the key.',
  },
  QUOTA_EXCEEDED: {
    http: 429,
    grpc: GRPC.RESOURCE_EXHAUSTED,
    kind: 'load',
    meaning: 'The tenant has reached its limit of waiting requests or of open event streams.',
    fix: 'Wait for Retry-After, or raise the quota of the tenant.',
  },
  // Load and deadlines.
  CONNECTIONS_EXHAUSTED: {
    http: 503,
    grpc: GRPC.UNAVAILABLE,
    kind: 'load',
    meaning: 'The node has reached its limit of connections, and each has a request in flight.',
    fix: 'Send requests over fewer connections, or start the node with larger --max-connections.',
  },
  DEADLINE_UNREACHABLE: {
    http: 503,
    grpc: GRPC.UNAVAILABLE,
    kind: 'load',
    meaning: 'The predicted finish misses the deadline, so the request was refused at once.',
    fix: 'Retry after Retry-After, give a longer deadline, or add replicas.',
  },
  DEADLINE_EXCEEDED: {
    http: 504,
    grpc: GRPC.DEADLINE_EXCEEDED,
    kind: 'load',
    meaning: 'The deadline passed before an answer was ready.',
    fix: 'Give a longer deadline, or add replicas.',
  },
  QUEUE_FULL: {
    http: 503,
    grpc: GRPC.RESOURCE_EXHAUSTED,
    kind: 'load',
    meaning: 'The queue of the deployment is full.',
    fix: 'Retry after Retry-After, or add replicas.',
  },
  NO_REPLICA: {
    http: 503,
    grpc: GRPC.UNAVAILABLE,
    kind: 'load',
    meaning: 'No replica is ready, and none will be ready before the deadline.',
    fix: 'Retry after Retry-After; `skein show NAME` says what the replicas are doing.',
  },
  NODE_DRAINING: {
    http: 503,
    grpc: GRPC.UNAVAILABLE,
    kind: 'load',
    meaning: 'The node is shutting down and accepts no new work.',
    fix: 'Retry: another node, or the restarted one, will answer.',
  },
  CANCELLED: {
    http: 499,
    grpc: GRPC.CANCELLED,
    kind: 'user',
    meaning: 'The client cancelled or disconnected.',
    fix: 'Nothing to do.',
  },
  REPLICA_LOST: {
    http: 503,
    grpc: GRPC.UNAVAILABLE,
    kind: 'load',
    meaning: 'The replica ended while it ran the request, and a second try failed too.',
    fix: 'Retry; if it repeats, deploy the version with --isolation process and look at `skein show NAME`.',
  },
  REQUEST_QUARANTINED: {
    http: 422,
    grpc: GRPC.FAILED_PRECONDITION,
    kind: 'user',
    meaning: 'Replicas crashed twice while they ran only a request with these inputs.',
    fix: 'Do not send these inputs again; run the model on them where it was exported, and deploy a version that survives them.',
  },
  RUN_TIMEOUT: {
    http: 504,
    grpc: GRPC.DEADLINE_EXCEEDED,
    kind: 'user',
    meaning:
      'The model still ran long after the deadline of the request, so its replica was ended and replaced.',
    fix: 'Do not send these inputs again: the model may loop on them. If it is only slow, give a longer deadline, or deploy it with a longer objective.',
  },
  TENANT_HELD: {
    http: 429,
    grpc: GRPC.RESOURCE_EXHAUSTED,
    kind: 'load',
    meaning:
      'Requests of the tenant have repeatedly crashed or blocked replicas of the version, which other tenants use too.',
    fix: 'Wait for Retry-After; find out on which inputs the model loops or crashes, and do not send them.',
  },
  // Models and deployments.
  MODEL_FILE_INVALID: {
    http: 400,
    grpc: GRPC.INVALID_ARGUMENT,
    kind: 'user',
    meaning: 'The file is not a readable ONNX model: truncated, corrupt, or something else.',
    fix: 'Export the model again and check that the file arrived whole.',
  },
  MODEL_UNSUPPORTED: {
    http: 400,
    grpc: GRPC.INVALID_ARGUMENT,
    kind: 'user',
    meaning:
      'The model uses an operator, operator set or IR version that the runtime does not have.',
    fix: 'Export with the operator set that the message names, or replace the operator.',
  },
  MODEL_EXTERNAL_DATA: {
    http: 400,
    grpc: GRPC.INVALID_ARGUMENT,
    kind: 'user',
    meaning:
      'The model keeps weights in a file beside it that is missing, too short, or outside its folder.',
    fix: 'Put the file that the message names beside the model, or save the model as one file.',
  },
  MODEL_LOAD_FAILED: {
    http: 400,
    grpc: GRPC.FAILED_PRECONDITION,
    kind: 'user',
    meaning: 'The runtime could not load the model, or a warm-up run failed.',
    fix: 'The message holds the runtime’s reason; run the model once where it was exported.',
  },
  MODEL_START_TIMEOUT: {
    http: 400,
    grpc: GRPC.FAILED_PRECONDITION,
    kind: 'user',
    meaning: 'The version did not load and answer its warm-up requests within the start timeout.',
    fix: 'Run the model once where it was exported: a run may never end. If it only starts slowly, deploy it with a longer --start-timeout.',
  },
  MODEL_MEMORY: {
    http: 400,
    grpc: GRPC.FAILED_PRECONDITION,
    kind: 'user',
    meaning:
      'The model needed more memory than its replicas may use, while loading or on these inputs.',
    fix: 'Check the sizes of the inputs; if the model needs so much memory, deploy it with a larger --max-memory.',
  },
  DEPLOYMENT_INVALID: {
    http: 400,
    grpc: GRPC.INVALID_ARGUMENT,
    kind: 'user',
    meaning: 'The settings of a deployment contradict each other or the machine.',
    fix: 'Change the setting that the message names.',
  },
  COMPOSITION_INVALID: {
    http: 400,
    grpc: GRPC.INVALID_ARGUMENT,
    kind: 'user',
    meaning:
      'The TypeScript module is not a composition, or calls a deployment that does not exist.',
    fix: 'Export defineComposition(…) as `composition`, and deploy the deployments that it calls first.',
  },
  VERSION_IN_USE: {
    http: 409,
    grpc: GRPC.FAILED_PRECONDITION,
    kind: 'user',
    meaning: 'The version still receives traffic.',
    fix: 'Shift its weight to another version first.',
  },
  ROLLOUT_IN_PROGRESS: {
    http: 409,
    grpc: GRPC.FAILED_PRECONDITION,
    kind: 'user',
    meaning: 'The deployment is already being rolled out.',
    fix: 'Wait for it, or abort it with `skein rollback NAME`.',
  },
  ROLLED_BACK: {
    http: 409,
    grpc: GRPC.FAILED_PRECONDITION,
    kind: 'user',
    meaning: 'The version was rolled back before it received traffic.',
    fix: '`skein show NAME` gives the reason; fix the cause, then deploy the version again.',
  },
  NOTHING_TO_ROLL_BACK: {
    http: 409,
    grpc: GRPC.FAILED_PRECONDITION,
    kind: 'user',
    meaning: 'The deployment has no earlier version to return to.',
    fix: '`skein show NAME` lists its history.',
  },
  DEVICE_UNAVAILABLE: {
    http: 400,
    grpc: GRPC.FAILED_PRECONDITION,
    kind: 'user',
    meaning: 'The device that the deployment asks for is missing on this machine.',
    fix: 'The message names the missing piece; `skein doctor` checks it.',
  },
  // Jobs.
  JOB_UNKNOWN: {
    http: 404,
    grpc: GRPC.NOT_FOUND,
    kind: 'user',
    meaning: 'There is no job with this id, or it belongs to another tenant.',
    fix: '`skein jobs ls` lists the jobs; ended jobs are removed after their retention.',
  },
  JOB_NOT_ENDED: {
    http: 409,
    grpc: GRPC.FAILED_PRECONDITION,
    kind: 'user',
    meaning: 'The job is still running or has succeeded, so it cannot be revived.',
    fix: 'Cancel it first, or enqueue it again with `skein jobs retry`.',
  },
  JOB_IN_GANG: {
    http: 409,
    grpc: GRPC.FAILED_PRECONDITION,
    kind: 'user',
    meaning: 'The job is a member of a gang: a new member alone would never start.',
    fix: 'Revive it with `skein jobs revive`, which starts the members together, or enqueue the whole gang again.',
  },
  PARENT_UNKNOWN: {
    http: 409,
    grpc: GRPC.FAILED_PRECONDITION,
    kind: 'user',
    meaning: 'A job names a parent that does not exist.',
    fix: 'Enqueue parents before, or together with, their children.',
  },
  QUEUE_DRAINING: {
    http: 503,
    grpc: GRPC.UNAVAILABLE,
    kind: 'load',
    meaning: 'The queue is being drained and accepts no jobs.',
    fix: 'Use another queue, or open it with `skein queue open NAME`.',
  },
  TENANT_QUOTA: {
    http: 429,
    grpc: GRPC.RESOURCE_EXHAUSTED,
    kind: 'load',
    meaning: 'The tenant has reached its limit of queued jobs.',
    fix: 'Wait until some have ended, or raise `maxQueued` of the tenant.',
  },
  ARTIFACT_QUOTA: {
    http: 429,
    grpc: GRPC.RESOURCE_EXHAUSTED,
    kind: 'load',
    meaning: 'The tenant has reached its limit of bytes of artifacts.',
    fix: 'Wait: artifacts are removed a day after the last job that names them; or start the node with a larger --max-artifacts.',
  },
  STEP_FAILED: {
    http: 409,
    grpc: GRPC.FAILED_PRECONDITION,
    kind: 'user',
    meaning: 'A step of a pipeline did not succeed.',
    fix: '`skein jobs logs JOB` shows why; fix the cause, then `skein pipeline resume RUN`.',
  },
  SQL_INVALID: {
    http: 400,
    grpc: GRPC.INVALID_ARGUMENT,
    kind: 'user',
    meaning: 'DuckDB cannot run the statement over the data.',
    fix: 'Correct the part that the message names; the rows of a shard are in the view `shard`, those of a group in `part`.',
  },
  MEMORY_SHORT: {
    http: 400,
    grpc: GRPC.RESOURCE_EXHAUSTED,
    kind: 'user',
    meaning: 'A job has too little memory for its statement over the data.',
    fix: 'Give each job more memory with `--memory`, or less data with a smaller `--shard` or more `--partitions`.',
  },
  PACKAGE_MISSING: {
    http: 409,
    grpc: GRPC.FAILED_PRECONDITION,
    kind: 'user',
    meaning: 'The work needs an optional package that is not installed on the worker.',
    fix: 'The message names the package: install it with `npm install` beside `@skein/jobs`, where the worker runs.',
  },
  SCHEDULE_UNKNOWN: {
    http: 404,
    grpc: GRPC.NOT_FOUND,
    kind: 'user',
    meaning: 'There is no schedule with this name.',
    fix: '`skein queue schedule ls` lists them.',
  },
  STORE_UNREACHABLE: {
    http: 503,
    grpc: GRPC.UNAVAILABLE,
    kind: 'load',
    meaning: 'The store of jobs or artifacts does not answer.',
    fix: 'Check that Redis, or the bucket, is up and reachable from this machine; then retry.',
  },
  STORE_TOO_OLD: {
    http: 500,
    grpc: GRPC.FAILED_PRECONDITION,
    kind: 'user',
    meaning: 'The Redis of the job store lacks the functions that the store needs.',
    fix: 'Use Redis 7 or later, or a server with the commands FUNCTION and FCALL.',
  },
  ARTIFACT_UNKNOWN: {
    http: 404,
    grpc: GRPC.NOT_FOUND,
    kind: 'user',
    meaning: 'No artifact with this digest is stored.',
    fix: 'Upload it with `skein artifacts put FILE`.',
  },
  // Sandboxes.
  SANDBOX_UNAVAILABLE: {
    http: 409,
    grpc: GRPC.FAILED_PRECONDITION,
    kind: 'user',
    meaning: 'The sandbox driver cannot be used on this host.',
    fix: 'The message names the missing piece; `skein doctor` prints the command that provides it.',
  },
  SANDBOX_UNSUPPORTED: {
    http: 409,
    grpc: GRPC.FAILED_PRECONDITION,
    kind: 'user',
    meaning: 'The work asks for a limit that no sandbox enforces on this host.',
    fix: 'The message names the limit and how to get it enforced; or ask for less.',
  },
  SANDBOX_IMAGE_UNKNOWN: {
    http: 409,
    grpc: GRPC.FAILED_PRECONDITION,
    kind: 'user',
    meaning: 'The root file system that the work asks for is not on this host.',
    fix: 'Build it with deploy/sandbox/base-image.sh, under the name that the message has.',
  },
  SANDBOX_IMAGE_FORBIDDEN: {
    http: 403,
    grpc: GRPC.PERMISSION_DENIED,
    kind: 'user',
    meaning: 'The root file system that the work asks for would show files of the host.',
    fix: 'Name a folder that holds a root file system and nothing else.',
  },
  SANDBOX_OUTPUT_MISSING: {
    http: 409,
    grpc: GRPC.FAILED_PRECONDITION,
    kind: 'user',
    meaning: 'The command left no file at a path that it declared as an output.',
    fix: 'Correct the path, or declare it as optional.',
  },
  SANDBOX_OUTPUT_TOO_LARGE: {
    http: 409,
    grpc: GRPC.RESOURCE_EXHAUSTED,
    kind: 'user',
    meaning: 'The outputs of the command are larger than their limit.',
    fix: 'Write less, or raise the disk limit of the job.',
  },
  SANDBOX_LOST: {
    http: 503,
    grpc: GRPC.UNAVAILABLE,
    kind: 'fault',
    meaning:
      'The sandbox was lost while it ran a command: its daemon stopped, or its container was removed.',
    fix: 'Run the work again; if it repeats, look at the log of the Docker daemon.',
  },
  // Training.
  RUN_UNKNOWN: {
    http: 404,
    grpc: GRPC.NOT_FOUND,
    kind: 'user',
    meaning: 'There is no training run with this id or name.',
    fix: '`skein runs ls` lists the runs.',
  },
  RUN_ACTIVE: {
    http: 409,
    grpc: GRPC.FAILED_PRECONDITION,
    kind: 'user',
    meaning: 'Another process is training this run.',
    fix: 'Wait for it, or stop it with Ctrl-C; then resume.',
  },
  RUN_UNFINISHED: {
    http: 409,
    grpc: GRPC.FAILED_PRECONDITION,
    kind: 'user',
    meaning: 'The run has no trained model on this machine, or none yet.',
    fix: 'Finish it with `skein train --resume RUN`, on the machine on which it ran.',
  },
  RUN_CHANGED: {
    http: 409,
    grpc: GRPC.FAILED_PRECONDITION,
    kind: 'user',
    meaning: 'The inputs of the run have changed, so resuming would produce a different model.',
    fix: 'Restore the file that the message names, or start a new run.',
  },
  TRAINING_DATA_INVALID: {
    http: 400,
    grpc: GRPC.INVALID_ARGUMENT,
    kind: 'user',
    meaning: 'The data cannot be read, or do not fit the model and the task.',
    fix: 'Correct the row or column that the message names; docs/guide/training.md shows each format.',
  },
  TRAINING_MODEL_UNFIT: {
    http: 400,
    grpc: GRPC.INVALID_ARGUMENT,
    kind: 'user',
    meaning: 'The model cannot be trained with these options.',
    fix: 'The message names the node, input or parameter and the reason; export the model without it.',
  },
  TRAINING_DIVERGED: {
    http: 400,
    grpc: GRPC.FAILED_PRECONDITION,
    kind: 'user',
    meaning: 'The loss became NaN or infinite, so training stopped.',
    fix: 'Look at the batch that the message names, lower --lr, or add --clip-norm 1.',
  },
  TRAINING_RANK_LOST: {
    http: 503,
    grpc: GRPC.UNAVAILABLE,
    kind: 'user',
    meaning:
      'A worker of a training in parallel never connected, disconnected or stopped answering.',
    fix: 'Check that worker; then resume from the last checkpoint with skein train --resume last.',
  },
  CHECKPOINT_INVALID: {
    http: 400,
    grpc: GRPC.FAILED_PRECONDITION,
    kind: 'user',
    meaning: 'The checkpoint is damaged, or belongs to another model or run.',
    fix: 'Start the run anew; check the disk.',
  },
  // The judge.
  PROBLEM_INVALID: {
    http: 422,
    grpc: GRPC.INVALID_ARGUMENT,
    kind: 'user',
    meaning: 'A problem package breaks its format.',
    fix: 'Correct the file and the field that the message names; docs/guide/judge.md describes the format.',
  },
  PROBLEM_UNSUPPORTED: {
    http: 422,
    grpc: GRPC.UNIMPLEMENTED,
    kind: 'user',
    meaning: 'A problem package uses a part of the format that the judge does not run.',
    fix: 'Replace the part that the message names; docs/guide/judge.md lists what is supported.',
  },
  PROBLEM_LIMITS: {
    http: 422,
    grpc: GRPC.FAILED_PRECONDITION,
    kind: 'user',
    meaning: 'A problem asks for limits that cannot be enforced here.',
    fix: 'Lower the limit that the message names, or judge on a machine and with a sandbox that enforce it.',
  },
  SUBMISSION_INVALID: {
    http: 422,
    grpc: GRPC.INVALID_ARGUMENT,
    kind: 'user',
    meaning:
      'A submission is empty, too large, badly named, or in a language that the problem does not accept.',
    fix: 'Correct the part that the message names and submit again.',
  },
  LANGUAGE_UNAVAILABLE: {
    http: 422,
    grpc: GRPC.FAILED_PRECONDITION,
    kind: 'user',
    meaning: 'The toolchain of the language is not installed in the sandbox.',
    fix: 'Install the Debian package that the message names in the sandbox’s image, or submit in another language.',
  },
  PROBLEM_UNKNOWN: {
    http: 404,
    grpc: GRPC.NOT_FOUND,
    kind: 'user',
    meaning: 'The judge has no problem of this name, or the problem is not visible yet.',
    fix: '`GET /api/v1/problems` lists the problems.',
  },
  PROBLEM_NOT_READY: {
    http: 503,
    grpc: GRPC.UNAVAILABLE,
    kind: 'load',
    meaning: 'The time limit of a problem is still being measured from its example submissions.',
    fix: 'Submit again after Retry-After.',
  },
  SUBMISSION_UNKNOWN: {
    http: 404,
    grpc: GRPC.NOT_FOUND,
    kind: 'user',
    meaning: 'There is no submission with this number.',
    fix: '`GET /api/v1/submissions` lists your own.',
  },
  SUBMISSION_UNFINISHED: {
    http: 409,
    grpc: GRPC.FAILED_PRECONDITION,
    kind: 'user',
    meaning: 'The submission is being judged, so it cannot be judged again yet.',
    fix: 'Wait for its verdict.',
  },
  USER_UNKNOWN: {
    http: 404,
    grpc: GRPC.NOT_FOUND,
    kind: 'user',
    meaning: 'The judge has no user of this name.',
    fix: '`skein-judge users ls` lists them.',
  },
  USER_EXISTS: {
    http: 409,
    grpc: GRPC.ALREADY_EXISTS,
    kind: 'user',
    meaning: 'The judge has a user of this name already.',
    fix: 'Choose another name, or make another key: `skein-judge users key NAME`.',
  },
  JUDGE_SANDBOX: {
    http: 503,
    grpc: GRPC.FAILED_PRECONDITION,
    kind: 'user',
    meaning: 'No sandbox that may run untrusted programs is available, so nothing is judged.',
    fix: 'Install bubblewrap (`sudo npm run provision`) or start Docker; the message says what each driver lacks.',
  },
  // The node.
  STORAGE_FULL: {
    http: 507,
    grpc: GRPC.RESOURCE_EXHAUSTED,
    kind: 'load',
    meaning:
      'The disk, or the memory of Redis, has reached the limit for requests; nothing was changed.',
    fix: 'Free space in the data folder, or for Redis in the folder of its files or with a larger maxmemory; then retry.',
  },
  ARTIFACT_CORRUPT: {
    http: 500,
    grpc: GRPC.INTERNAL,
    kind: 'fault',
    meaning: 'A stored artifact no longer has its digest, so it is not served.',
    fix: 'Deploy the model file again; check the disk.',
  },
  STATE_CORRUPT: {
    http: 500,
    grpc: GRPC.INTERNAL,
    kind: 'fault',
    meaning: 'The database in the data folder is damaged, or is not a database of Skein.',
    fix: 'Restore state.sqlite from a backup, or move it away to start empty; check the disk.',
  },
  STATE_TOO_NEW: {
    http: 409,
    grpc: GRPC.FAILED_PRECONDITION,
    kind: 'user',
    meaning: 'The data folder was last used by a newer Skein, whose database this one cannot read.',
    fix: 'Start the newer Skein, or choose another folder with --data.',
  },
  DATA_FOLDER_UNUSABLE: {
    http: 400,
    grpc: GRPC.FAILED_PRECONDITION,
    kind: 'user',
    meaning: 'The data folder cannot be made or written to.',
    fix: 'Give the node’s user write access to the folder, or choose another with --data.',
  },
  DATA_FOLDER_LOCKED: {
    http: 409,
    grpc: GRPC.FAILED_PRECONDITION,
    kind: 'user',
    meaning: 'Another node runs on this data folder.',
    fix: 'Stop that node, or choose another folder with --data.',
  },
  PORT_IN_USE: {
    http: 409,
    grpc: GRPC.FAILED_PRECONDITION,
    kind: 'user',
    meaning: 'The requested port is in use.',
    fix: 'Choose another with --port, or omit it to use the next free one.',
  },
  KEYS_REQUIRED: {
    http: 400,
    grpc: GRPC.FAILED_PRECONDITION,
    kind: 'user',
    meaning: 'The node would listen on an address other than loopback without any API key.',
    fix: 'Create a key first: `skein keys create --scope admin`.',
  },
  TLS_INVALID: {
    http: 400,
    grpc: GRPC.FAILED_PRECONDITION,
    kind: 'user',
    meaning: 'The certificate, its private key or the CA of clients cannot be used.',
    fix: 'Give PEM files: --tls-cert with the chain, the node’s own certificate first and none of them expired; --tls-key with its key, without a passphrase; --tls-client-ca with the authorities.',
  },
  // The command line.
  USAGE: {
    http: 400,
    grpc: GRPC.INVALID_ARGUMENT,
    kind: 'user',
    meaning: 'The command line has an unknown command, option or value.',
    fix: '`skein help COMMAND` shows the usage.',
  },
  FILE_UNREADABLE: {
    http: 400,
    grpc: GRPC.NOT_FOUND,
    kind: 'user',
    meaning: 'A file given on the command line cannot be read.',
    fix: 'Check the path and its permissions.',
  },
  NODE_UNREACHABLE: {
    http: 503,
    grpc: GRPC.UNAVAILABLE,
    kind: 'load',
    meaning: 'No node answers at the address.',
    fix: 'Start one with `skein up`, or point --server at it.',
  },
  TLS_FAILED: {
    http: 502,
    grpc: GRPC.UNAVAILABLE,
    kind: 'user',
    meaning:
      'The TLS connection to the node failed: its certificate is not trusted, it requires a client certificate, or one side does not use TLS.',
    fix: 'Name the CA of its certificate with --ca FILE (or SKEIN_CA), and a client certificate, if the node requires one, with --cert and --cert-key; the reason is in the message.',
  },
  INTERNAL: {
    http: 500,
    grpc: GRPC.INTERNAL,
    kind: 'fault',
    meaning: 'A fault of Skein.',
    fix: 'The node’s log has the details under the request id in the message; please report it.',
  },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERRORS;

/** The format of an error in HTTP bodies and in `--json` output. */
export interface ErrorBody {
  /** What happened, in one sentence. The Open Inference Protocol asks for this field to be a string. */
  readonly error: string;
  readonly code: ErrorCode;
  readonly fix: string;
  readonly retryAfterMs?: number;
}

/** The one error class that crosses module borders. Any other thrown error is a fault of Skein. */
export class SkeinError extends Error {
  override readonly name = 'SkeinError';
  readonly code: ErrorCode;
  /** When the same request may succeed, in milliseconds from now. */
  readonly retryAfterMs: number | undefined;

  /** @param message what happened, with the offending value. */
  constructor(
    code: ErrorCode,
    message: string,
    options: ErrorOptions & { retryAfterMs?: number } = {},
  ) {
    super(message, options);
    this.code = code;
    this.retryAfterMs = options.retryAfterMs;
  }

  /** Whether an error that comes from elsewhere, such as another thread, can be one of these. */
  static accepts({ code }: { readonly code?: unknown }): boolean {
    return typeof code === 'string' && Object.hasOwn(ERRORS, code);
  }

  get row(): ErrorRow {
    return ERRORS[this.code];
  }

  toBody(): ErrorBody {
    return {
      error: this.message,
      code: this.code,
      fix: this.row.fix,
      ...(this.retryAfterMs === undefined ? {} : { retryAfterMs: this.retryAfterMs }),
    };
  }
}
