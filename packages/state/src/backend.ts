/**
 * Stores that stand in for each other. Each kind of store has a table of its backends, a line each,
 * and the address chooses among them: a scheme, or a path of this machine.
 */
import { SkeinError } from '@skein/api/errors';

export interface Backend<Options, Store> {
  /** How its addresses begin, such as `redis://`; none: it takes the paths of this machine. */
  readonly schemes: readonly string[];
  open(address: string, options: Options): Promise<Store>;
}

/** A drive of Windows has one letter. */
const SCHEME = /^[a-z][a-z0-9+.-]+:\/\//i;

/**
 * @param where `network`: only addresses that other machines reach too.
 * @throws SkeinError USAGE when no backend has such addresses.
 */
export function backendOf<B extends Pick<Backend<never, unknown>, 'schemes'>>(
  backends: Readonly<Record<string, B>>,
  address: string,
  where: 'anywhere' | 'network' = 'anywhere',
): B {
  const all = Object.values(backends);
  const isPath = !SCHEME.test(address) && where === 'anywhere';
  const found =
    all.find(({ schemes }) => schemes.some((scheme) => address.startsWith(scheme))) ??
    (isPath ? all.find(({ schemes }) => schemes.length === 0) : undefined);
  if (found !== undefined) return found;
  const schemes = all.flatMap((each) => each.schemes).join(' or ');
  const path = where === 'anywhere' ? ', or a path of this machine' : '';
  // The rest of the address may contain a password.
  const begin = SCHEME.exec(address)?.[0] ?? 'no scheme';
  throw new SkeinError(
    'USAGE',
    `An address with ${begin} names no store: it must begin with ${schemes}${path}.`,
  );
}
