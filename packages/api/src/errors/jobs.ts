/** Errors of jobs and of sandboxes. */
import {
  CONFLICT,
  type ErrorRow,
  FORBIDDEN,
  GRPC,
  INVALID,
  OVER_LIMIT,
  UNAVAILABLE,
  UNKNOWN,
} from './row.ts';

export const JOB_ERRORS = {
  JOB_UNKNOWN: {
    ...UNKNOWN,
    meaning: 'There is no job with this id, or it belongs to another tenant.',
    fix: '`skein jobs ls` lists the jobs; ended jobs are removed after their retention, or by `skein jobs rm`.',
  },
  JOB_NOT_ENDED: {
    ...CONFLICT,
    meaning:
      'The job has not ended, so it cannot be removed; or it cannot be revived, because it has not failed.',
    fix: 'Cancel it first, or enqueue it again with `skein jobs retry`.',
  },
  JOB_IN_GANG: {
    ...CONFLICT,
    meaning: 'The job is a member of a gang: a new member alone would never start.',
    fix: 'Revive it with `skein jobs revive`, which starts the members together, or enqueue the whole gang again.',
  },
  PARENT_UNKNOWN: {
    ...CONFLICT,
    meaning: 'A job names a parent that does not exist.',
    fix: 'Enqueue parents before, or together with, their children.',
  },
  QUEUE_DRAINING: {
    ...UNAVAILABLE,
    meaning: 'The queue is being drained and accepts no jobs.',
    fix: 'Use another queue, or open it with `skein queue open NAME`.',
    retryMs: 10_000,
  },
  TENANT_QUOTA: {
    ...OVER_LIMIT,
    meaning: 'The tenant has reached its limit of queued jobs.',
    fix: 'Wait until some have ended, or raise the limit: `skein queue tenant NAME --max-queued N`.',
    retryMs: 5000,
  },
  ARTIFACT_QUOTA: {
    ...OVER_LIMIT,
    meaning: 'The tenant has reached its limit of bytes of artifacts.',
    fix: 'Remove ended jobs with `skein jobs rm`: artifacts are removed a day after the last job that names them; or start the node with a larger --max-artifacts.',
    retryMs: 60_000,
  },
  STEP_FAILED: {
    ...CONFLICT,
    meaning: 'A step of a pipeline did not succeed.',
    fix: '`skein jobs logs JOB` shows why; fix the cause, then `skein pipeline resume RUN`.',
  },
  SQL_INVALID: {
    ...INVALID,
    meaning: 'DuckDB cannot run the statement over the data.',
    fix: 'Correct the part that the message names; the view `shard` holds the rows of a shard, the view `part` the rows of a group.',
  },
  FUNCTION_INVALID: {
    ...INVALID,
    meaning:
      'A function over the batches of a map does not exist, or returned something else than columns of one schema.',
    fix: 'Correct the function at the rows that the message names: it returns a list for each column, all of one length, with the same columns and types for each batch.',
  },
  MEMORY_SHORT: {
    http: 400,
    grpc: GRPC.RESOURCE_EXHAUSTED,
    kind: 'user',
    meaning: 'A job has too little memory for its statement over the data.',
    fix: 'Give each job more memory with `--memory`, or less data with a smaller `--shard` or more `--partitions`.',
  },
  PACKAGE_MISSING: {
    ...CONFLICT,
    meaning: 'The work needs an optional package that is not installed where it runs.',
    fix: 'Run the `npm install` of the message in the working folder of the node or worker, then start it again.',
  },
  SCHEDULE_UNKNOWN: {
    ...UNKNOWN,
    meaning: 'There is no schedule with this name.',
    fix: '`skein queue schedule ls` lists them.',
  },
  STORE_UNREACHABLE: {
    ...UNAVAILABLE,
    meaning: 'The store of jobs, artifacts or shared state does not answer.',
    fix: 'Check that Redis, or the bucket or folder of artifacts, is up and reachable from this machine; then retry.',
    retryMs: 1000,
  },
  STORE_DENIED: {
    ...UNAVAILABLE,
    meaning:
      'The bucket refuses the credentials of this process, or it has none; the shared folder may not be written; or the user of Redis lacks a right.',
    fix: 'Give the identity of the process the right to list, read, write and remove objects of the bucket: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY for s3://, Workload Identity or GOOGLE_APPLICATION_CREDENTIALS for gs://. Let the user of the process write to a shared folder. docs/guide/fleet.md has the rights of a user of Redis.',
    retryMs: 10_000,
  },
  STORE_TOO_OLD: {
    http: 500,
    grpc: GRPC.FAILED_PRECONDITION,
    kind: 'user',
    meaning: 'The Redis of a fleet lacks the functions that its stores need.',
    fix: 'Use Redis 7 or later, or a server with the commands FUNCTION and FCALL.',
  },
  ARTIFACT_UNKNOWN: {
    ...UNKNOWN,
    meaning: 'No artifact with this digest is stored.',
    fix: 'Upload it with `skein artifacts put FILE`.',
  },
  // Sandboxes.
  SANDBOX_UNAVAILABLE: {
    ...CONFLICT,
    meaning: 'The sandbox driver cannot be used on this host.',
    fix: 'The message names the missing piece; `skein doctor` prints the command that provides it.',
  },
  SANDBOX_UNSUPPORTED: {
    ...CONFLICT,
    meaning: 'The work asks for a limit that no sandbox enforces on this host.',
    fix: 'The message names the limit and how to get it enforced; or ask for less.',
  },
  SANDBOX_IMAGE_UNKNOWN: {
    ...CONFLICT,
    meaning: 'The root file system that the work asks for is not on this host.',
    fix: 'deploy/sandbox/base-image.sh makes the images minimal, judge and judge-all, and `docker tag` registers another one.',
  },
  SANDBOX_IMAGE_FORBIDDEN: {
    ...FORBIDDEN,
    meaning: 'The root file system that the work asks for would show files of the host.',
    fix: 'Name a folder that holds a root file system and nothing else.',
  },
  SANDBOX_OUTPUT_MISSING: {
    ...CONFLICT,
    meaning: 'The command left no file at a path that it declared as an output.',
    fix: 'Correct the path; `optional: true` in a job of the API allows that it is missing.',
  },
  SANDBOX_OUTPUT_TOO_LARGE: {
    http: 409,
    grpc: GRPC.RESOURCE_EXHAUSTED,
    kind: 'user',
    meaning: 'The outputs of the command are larger than their limit.',
    fix: 'Write less, or raise the disk limit of the job.',
  },
  SANDBOX_NOT_STARTED: {
    http: 503,
    grpc: GRPC.UNAVAILABLE,
    kind: 'fault',
    meaning: 'The cluster did not start the sandbox: it has no capacity, or does not answer.',
    fix: 'The message has the answer of the cluster; the work is tried again. `kubectl describe job` shows more.',
  },
  SANDBOX_LOST: {
    http: 503,
    grpc: GRPC.UNAVAILABLE,
    kind: 'fault',
    meaning:
      'The sandbox was lost while it ran a command: its daemon stopped, or its container or pod was removed.',
    fix: 'Run the work again; if it repeats, read the log of the Docker daemon, or the events of the cluster.',
  },
} as const satisfies Record<string, ErrorRow>;
