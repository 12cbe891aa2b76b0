/** Where a call comes from, as the servers of both faces know it. */
export type Peer = { readonly remoteAddress?: string | undefined } | { getPeer(): string };

/** An address, over gRPC with its port; `unknown` once the connection is gone. */
export function remoteOf(from: Peer | undefined): string {
  if (from === undefined) return 'unknown';
  return 'getPeer' in from ? from.getPeer() : (from.remoteAddress ?? 'unknown');
}
