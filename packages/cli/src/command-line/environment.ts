/** Options that a platform sets in the environment, such as PORT: read and refused as on the command line. */
import type { Context } from './command.ts';
import { bytes, type Option } from './option.ts';
import { explained } from './parse.ts';

/** Of nodes and workers alike. */
export const cacheOption = bytes(
  'Most bytes of copies of the files of a bucket (or SKEIN_CACHE), on a node for models and for jobs each; default: 10GiB, and at most a third of the disk.',
);

/** The given value, else that of the variable `name`, else undefined. @throws SkeinError USAGE. */
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
