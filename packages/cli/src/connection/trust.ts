/**
 * How a command speaks TLS to a node: which authority it trusts, and which certificate it presents
 * when the node requires one. A node on this machine writes its own certificate to the data folder;
 * then exactly that certificate is trusted, for any host name.
 */
import { type Trust, connectOptions } from '@skein/load/trust';
import type { Context, OptionValues } from '../command-line/command.ts';
import { readGivenFile } from '../file.ts';
import { text } from '../command-line/option.ts';
import { usageError } from '../command-line/usage.ts';

export const trustOptions = {
  ca: text('FILE', 'CA of the node’s certificate, in PEM (or SKEIN_CA; default: the system’s).'),
  cert: text('FILE', 'Certificate to present, for mutual TLS (or SKEIN_CERT).'),
  certKey: text('FILE', 'Private key of --cert (or SKEIN_CERT_KEY).'),
};

export type TrustChoice = OptionValues<typeof trustOptions>;

/**
 * @param pinned the certificate that the node has written, used unless --ca names an authority.
 * @returns absent when the platform's defaults are used.
 * @throws SkeinError FILE_UNREADABLE; USAGE for a certificate without its key.
 */
export async function readTrust(
  { cwd, env }: Pick<Context, 'cwd' | 'env'>,
  choice: TrustChoice,
  pinned: string | undefined,
): Promise<Trust | undefined> {
  const read = async (path: string | undefined): Promise<string | undefined> => {
    if (path === undefined || path === '') return undefined;
    return (await readGivenFile(cwd, path)).toString();
  };
  const [ca, cert, key] = await Promise.all([
    read(choice.ca ?? (pinned === undefined ? env['SKEIN_CA'] : undefined)),
    read(choice.cert ?? env['SKEIN_CERT']),
    read(choice.certKey ?? env['SKEIN_CERT_KEY']),
  ]);
  if ((cert === undefined) !== (key === undefined)) {
    throw usageError('--cert and --cert-key belong together: give both.');
  }
  if ((ca ?? cert ?? pinned) === undefined) return undefined;
  return { ...(ca === undefined ? { pinned } : { ca }), cert, key };
}

/**
 * A `fetch` that trusts and presents the chosen certificates; the platform's own when none is
 * chosen.
 */
export async function trustingFetch(trust: Trust | undefined): Promise<typeof globalThis.fetch> {
  if (trust === undefined) return globalThis.fetch;
  // Node's own fetch takes no certificates; this is the same code as a package.
  const { Agent, fetch } = await import('undici');
  const dispatcher = new Agent({ connect: connectOptions(trust) });
  const through = (input: string, init?: object) => fetch(input, { ...init, dispatcher });
  return through as unknown as typeof globalThis.fetch;
}
