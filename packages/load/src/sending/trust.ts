/** The certificates that a client trusts and presents, as a value that can be sent to a worker. */
import { X509Certificate } from 'node:crypto';
import type { ConnectionOptions, SecureContextOptions } from 'node:tls';

/** PEM texts; a plain value that may cross into a worker. */
export interface Trust {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** The only certificate that the node may present. */
  readonly pinned?: string | undefined;
}

/** The options of Node's `tls.connect`, without the destination. */
export function connectOptions({
  pinned,
  ...named
}: Trust): SecureContextOptions & Pick<ConnectionOptions, 'checkServerIdentity'> {
  if (pinned === undefined) return named;
  const { raw } = new X509Certificate(pinned);
  return {
    ...named,
    ca: pinned,
    // An authority that this machine does not know may have signed it.
    allowPartialTrustChain: true,
    checkServerIdentity: (_host, presented) =>
      raw.equals(presented.raw) ? undefined : new Error('the node has another certificate'),
  };
}
