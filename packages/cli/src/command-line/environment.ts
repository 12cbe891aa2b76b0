/** Options that a platform sets in the environment, such as PORT: read and refused as on the command line. */
import type { Context } from './command.ts';
import type { Option } from './option.ts';
import { explained } from './parse.ts';

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
