/** Options that a platform sets in the environment, such as PORT: read and refused as on the command line. */
import { QueueName } from '@skein/api';
import type { Context } from './command.ts';
import { bytes, type Option } from './option.ts';
import { explained } from './parse.ts';
import { usageError } from './usage.ts';

/** Option of nodes and workers alike. */
export const cacheOption = bytes(
  'Most bytes of local copies of a bucket’s files (or SKEIN_CACHE); a node has one cache for models and one for jobs; default: 10GiB, and at most a third of the disk.',
);

/** @param source the option or variable that lists names, with commas between them. @throws SkeinError USAGE. */
export function queuesIn(source: string, list: string): string[] {
  const names = list.split(',').map((name) => name.trim());
  const wrong = names.find((name) => !QueueName.safeParse(name).success);
  if (wrong !== undefined) throw usageError(`${source}: "${wrong}" is not the name of a queue.`);
  return [...new Set(names)];
}

/** Where a fleet keeps its state and its files. */
export interface FleetPlace {
  readonly redis?: string | undefined;
  readonly blobs?: string | undefined;
}

/** The given place, else the one in SKEIN_REDIS and SKEIN_BLOBS; an empty variable counts as absent. */
export function fleetPlace({ env }: Pick<Context, 'env'>, given: FleetPlace): FleetPlace {
  return {
    redis: given.redis ?? (env['SKEIN_REDIS'] || undefined),
    blobs: given.blobs ?? (env['SKEIN_BLOBS'] || undefined),
  };
}

/** The given value, else the value of the variable `name`, else undefined. @throws SkeinError USAGE. */
export function orEnvironment<T>(
  { env }: Pick<Context, 'env'>,
  given: T | undefined,
  name: string,
  option: Option<T | undefined>,
): T | undefined {
  const text = env[name];
  if (given !== undefined || text === undefined || text === '') return given;
  return explained(name, () => option.parse([text]));
}
