/** The address of a peer, the same for the servers of both faces. */
export type Peer = { readonly remoteAddress?: string | undefined } | { getPeer(): string };

/** An address, with its port over gRPC; `unknown` once the connection has closed. */
export function remoteOf(from: Peer | undefined): string {
  if (from === undefined) return 'unknown';
  return 'getPeer' in from ? from.getPeer() : (from.remoteAddress ?? 'unknown');
}
