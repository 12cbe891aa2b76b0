/** Errors of load and deadlines, of models and deployments. */
import {
  CONFLICT,
  GRPC,
  INVALID,
  OVER_LIMIT,
  PRECONDITION,
  TIMED_OUT,
  UNAVAILABLE,
  UNFIT,
  type ErrorRow,
} from './row.ts';

export const SERVING_ERRORS = {
  CONNECTIONS_EXHAUSTED: {
    ...UNAVAILABLE,
    meaning: 'The node has reached its limit of connections, and each has a request in flight.',
    fix: 'Send requests over fewer connections, or start the node with larger --max-connections.',
    retryMs: 1000,
  },
  DEADLINE_UNREACHABLE: {
    ...UNAVAILABLE,
    meaning: 'The predicted finish misses the deadline, so the request was refused at once.',
    fix: 'Retry after Retry-After, or add replicas; without Retry-After the deadline is shorter than a run: give a longer one.',
    retryMs: 1000,
  },
  DEADLINE_EXCEEDED: {
    ...TIMED_OUT,
    meaning: 'The deadline passed before an answer was ready.',
    fix: 'Give a longer deadline, or add replicas.',
  },
  STREAM_STALLED: {
    ...TIMED_OUT,
    meaning: 'The next chunk of a stream did not come within the objective of the deployment.',
    fix: 'Send the request again, or deploy it with a longer objective.',
  },
  STREAM_REQUIRED: {
    http: 400,
    grpc: GRPC.UNIMPLEMENTED,
    kind: 'user',
    meaning: 'The deployment answers with a stream of chunks, which this call cannot carry.',
    fix: 'Call ModelStreamInfer over gRPC.',
  },
  QUEUE_FULL: {
    http: 503,
    grpc: GRPC.RESOURCE_EXHAUSTED,
    kind: 'load',
    meaning: 'The queue of the deployment is full.',
    fix: 'Retry after Retry-After, or add replicas.',
    retryMs: 1000,
  },
  NO_REPLICA: {
    ...UNAVAILABLE,
    meaning: 'No replica is ready, and none will be ready before the deadline.',
    fix: 'Retry after Retry-After; `skein show NAME` shows the state of the replicas.',
    retryMs: 1000,
  },
  NODE_DRAINING: {
    ...UNAVAILABLE,
    meaning:
      'The node is shutting down and accepts no new work; or a program uses a part of Skein that it has closed.',
    fix: 'Retry: another node, or the restarted one, will answer. A program opens the closed part again.',
    retryMs: 1000,
  },
  CANCELLED: {
    http: 499,
    grpc: GRPC.CANCELLED,
    kind: 'user',
    meaning: 'The client cancelled or disconnected.',
    fix: 'Nothing to do.',
  },
  REPLICA_LOST: {
    ...UNAVAILABLE,
    meaning: 'The replica ended while it ran the request, and a second try failed too.',
    fix: 'Retry; if it repeats, deploy the version with --isolation process and read `skein show NAME`.',
    retryMs: 100,
  },
  PEER_LOST: {
    ...UNAVAILABLE,
    meaning:
      'The member of the fleet that had taken the request was lost; the request may have run, and is not run twice.',
    fix: 'Retry if a second run does no harm. Deploy a composition for which that is true with --idempotent yes.',
    retryMs: 100,
  },
  REQUEST_QUARANTINED: {
    ...UNFIT,
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
    ...OVER_LIMIT,
    meaning:
      'Requests of the tenant have repeatedly crashed or blocked replicas of the version, which other tenants use too.',
    fix: 'Wait for Retry-After; find out on which inputs the model loops or crashes, and do not send them.',
    retryMs: 1000,
  },
  // Models and deployments.
  MODEL_FILE_INVALID: {
    ...INVALID,
    meaning: 'The file is not a readable ONNX model: truncated, corrupt, or something else.',
    fix: 'Export the model again and check that the file arrived whole.',
  },
  MODEL_UNSUPPORTED: {
    ...INVALID,
    meaning:
      'The model uses an operator, operator set or IR version that the runtime does not have.',
    fix: 'Export with the operator set that the message names, or replace the operator.',
  },
  MODEL_EXTERNAL_DATA: {
    ...INVALID,
    meaning:
      'The model keeps weights in another file that is missing, too short, or outside the folder of the model.',
    fix: 'Put the file that the message names next to the model, or save the model as one file.',
  },
  MODEL_WEIGHTS_UNFIT: {
    ...UNFIT,
    meaning:
      'The file of --weights is not in the safetensors format, or its tensors differ from the weights of the model by name, shape or type.',
    fix: 'Save the tensors under the names, shapes and types of the initialisers in the .onnx file, or export the model with its weights.',
  },
  CONVERSION_DIFFERS: {
    ...UNFIT,
    meaning:
      'The model that was made of a file of another program gives other values than that program, or than the rows given with it.',
    fix: 'If you gave rows, check their columns, their order and their missing values. Else export the model to ONNX where it was made, deploy the .onnx file, and report the difference to the maintainers.',
  },
  CONVERTER_MISSING: {
    ...CONFLICT,
    meaning:
      'No Python of this machine has the packages that convert the file, or its sandbox does not show it.',
    fix: 'Install the package that the message names, or convert the file to ONNX where it was made and deploy the .onnx file.',
  },
  CONVERSION_LIMIT: {
    ...UNFIT,
    meaning:
      'The conversion of the file took more time, memory, disk space or output than its sandbox allows.',
    fix: 'Convert the file to ONNX where it was made and deploy the .onnx file, or deploy it from a machine with more memory.',
  },
  CONVERSION_FAILED: {
    ...UNFIT,
    meaning: 'The file cannot be converted to ONNX, or the program that converts it has failed.',
    fix: 'Do what the message names; or convert the file to ONNX where it was made and deploy the .onnx file.',
  },
  MODEL_LOAD_FAILED: {
    ...PRECONDITION,
    meaning: 'The runtime could not load the model, or a warm-up run failed.',
    fix: 'The message holds the runtime’s reason; run the model once where it was exported.',
  },
  MODEL_START_TIMEOUT: {
    ...PRECONDITION,
    meaning: 'The version did not load and answer its warm-up requests within the start timeout.',
    fix: 'Run the model once where it was exported, to see whether a run ends. If it only starts slowly, deploy it with a longer --start-timeout.',
  },
  MODEL_MEMORY: {
    ...PRECONDITION,
    meaning:
      'The model needed more memory than its replicas may use, while loading or on these inputs.',
    fix: 'Check the sizes of the inputs; if the model needs so much memory, deploy it with a larger --max-memory.',
  },
  DEPLOYMENT_INVALID: {
    ...INVALID,
    meaning: 'The settings of a deployment contradict each other or the machine.',
    fix: 'Change the setting that the message names.',
  },
  COMPOSITION_INVALID: {
    ...INVALID,
    meaning:
      'The TypeScript module cannot be bundled, is not a composition, or calls a deployment that does not exist.',
    fix: 'Correct what the message names by file and line; export defineComposition(…) as `composition`; install packages with native code next to Skein on each node; deploy the deployments that it calls first.',
  },
  VERSION_IN_USE: {
    ...CONFLICT,
    meaning: 'The version still receives traffic, or an unloaded deployment keeps it.',
    fix: 'Shift its weight to another version first, or remove the deployment with `skein undeploy NAME`.',
  },
  VERSION_SERVED: {
    ...CONFLICT,
    meaning:
      'A canary or a shadow was asked for a version that the deployment serves already: there is nothing to compare it with.',
    fix: 'Deploy a changed file, or another version with `skein rollout NAME --version N`; leave --canary and --shadow out to change only settings.',
  },
  ROLLOUT_IN_PROGRESS: {
    ...CONFLICT,
    meaning: 'The deployment, or the language model, is already being rolled out.',
    fix: 'Wait for it, or abort it: a deployment with `skein rollback NAME`, a language model with `skein model rollback NAME`.',
  },
  ROLLED_BACK: {
    ...CONFLICT,
    meaning: 'The version was rolled back before it received traffic.',
    fix: '`skein show NAME` gives the reason; fix the cause, then deploy the version again.',
  },
  NOTHING_TO_ROLL_BACK: {
    ...CONFLICT,
    meaning:
      'The deployment has no earlier version or settings, or the language model no earlier routes, to return to.',
    fix: '`skein show NAME` lists the history of a deployment; `skein model put` declares other routes.',
  },
  DEVICE_UNAVAILABLE: {
    ...PRECONDITION,
    meaning: 'The device that the deployment asks for is missing on this machine.',
    fix: 'The message names the missing piece; `skein doctor` checks it.',
  },
} as const satisfies Record<string, ErrorRow>;
