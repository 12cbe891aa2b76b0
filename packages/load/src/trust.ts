/** Which certificates a client trusts and presents, as a value that crosses into a worker. */
import { X509Certificate } from 'node:crypto';
import type { ConnectionOptions, SecureContextOptions } from 'node:tls';

/** PEM texts; a plain value that may cross into a worker. */
export interface Trust {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** The only certificate that the node may answer with. */
  readonly pinned?: string | undefined;
}

/** The same for Node's `tls.connect`, without where to. */
export function connectOptions({
  pinned,
  ...named
}: Trust): SecureContextOptions & Pick<ConnectionOptions, 'checkServerIdentity'> {
  if (pinned === undefined) return named;
  const { raw } = new X509Certificate(pinned);
  return {
    ...named,
    ca: pinned,
    // It may be signed by an authority that this machine does not know.
    allowPartialTrustChain: true,
    checkServerIdentity: (_host, presented) =>
      raw.equals(presented.raw) ? undefined : new Error('the node has another certificate'),
  };
}
