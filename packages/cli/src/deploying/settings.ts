/** The settings of a deployment as options of `deploy`, `settings`, and `rollout` with a version. */
import type { DeploymentSettingsPatch } from '@skein/api';
import { defined } from '@skein/api/defined';
import { DEVICES } from '@skein/api/implementations';
import type { OptionValues } from '../command-line/command.ts';
import { bytes, choice, decimal, duration, flag, integer, range } from '../command-line/option.ts';
import { usageError } from '../command-line/usage.ts';

export const settingsOptions = {
  objective: duration('Latency that 99 % of requests must keep, such as 100ms.', [0.001, 600_000]),
  quantile: decimal(
    'SHARE',
    'Share of requests that must keep it, such as 0.99.',
    [0.5, 0.999_999],
  ),
  replicas: range('N|MIN..MAX', 'Bounds of the autoscaler; a minimum of 0 scales to zero.'),
  idle: duration(
    'Time without a request after which a minimum of 0 holds (default 60s).',
    [1000, 86_400_000],
  ),
  threads: integer('N', 'Threads of each replica.', [1, 256]),
  oversubscribe: flag('Let threads × replicas exceed the cores.'),
  maxBatch: integer('ROWS', 'Rows that may be run together; 1 turns batching off.', [1, 4096]),
  maxQueue: integer('N', 'Requests that may wait.', [1, 1_000_000]),
  isolation: choice(
    ['auto', 'thread', 'process'],
    'Isolation of replicas. process: a crash, a loop or the memory of the model costs only a retry. auto: process for untrusted models.',
  ),
  maxMemory: bytes(
    'Memory that the model may take in a replica; default: a quarter of the memory.',
  ),
  startTimeout: duration(
    'Time in which a replica must load and warm up (default 60s).',
    [100, 3_600_000],
  ),
  device: choice(DEVICES, 'Device that replicas run on.'),
  finiteOnly: flag('Refuse NaN and infinity in inputs.'),
  allowNonFinite: flag('Allow NaN and infinity in inputs again.'),
  idempotent: choice(
    ['yes', 'no'],
    'Permission to run a composition’s request again when the member of the fleet that ran it is lost; default: no.',
  ),
  cache: bytes('Answer equal inputs from a cache of this size; 0 turns it off.'),
  cacheTtl: duration('Longest time that a cached answer is repeated.', [1, 86_400_000]),
};

/** Only the given options: all other settings stay, or get the node's default. */
export function settingsOf(given: OptionValues<typeof settingsOptions>): DeploymentSettingsPatch {
  if (given.finiteOnly && given.allowNonFinite) {
    throw usageError('--finite-only and --allow-non-finite exclude each other.');
  }
  if (given.cacheTtl !== undefined && given.cache === undefined) {
    throw usageError('--cache-ttl needs --cache SIZE.');
  }
  const { threads, maxQueue, isolation, device, maxBatch, idempotent } = given;
  const objective = defined({ latencyMs: given.objective, quantile: given.quantile });
  const replicas = defined({ ...given.replicas, idleMs: rounded(given.idle) });
  return defined({
    objective: Object.keys(objective).length === 0 ? undefined : objective,
    replicas: Object.keys(replicas).length === 0 ? undefined : replicas,
    threads,
    oversubscribe: given.oversubscribe || undefined,
    batching: maxBatch === undefined ? undefined : { maxRows: maxBatch },
    maxQueue,
    isolation,
    maxMemoryBytes: given.maxMemory,
    startTimeoutMs: rounded(given.startTimeout),
    device,
    finiteOnly: given.allowNonFinite ? false : given.finiteOnly || undefined,
    idempotent: idempotent === undefined ? undefined : idempotent === 'yes',
    cache: cacheOf(given.cache, given.cacheTtl),
  });
}

function cacheOf(
  maxBytes: number | undefined,
  ttlMs: number | undefined,
): DeploymentSettingsPatch['cache'] {
  if (maxBytes === undefined) return undefined;
  return maxBytes === 0 ? null : defined({ maxBytes, ttlMs: rounded(ttlMs) });
}

const rounded = (value: number | undefined) => (value === undefined ? value : Math.round(value));
