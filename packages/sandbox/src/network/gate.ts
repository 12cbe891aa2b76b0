/** The only way out of a session with an address list: a proxy at the guest's loopback. */
import type { NetworkPolicy } from '../contract.ts';
import { AllowList, isLocalTarget, readEntry } from './allow-list.ts';
import { listenInside, PROXY_HOST, PROXY_PORT } from './listen-inside.ts';
import { Proxy } from './proxy.ts';

export interface Gate {
  /** Environment variables that name the proxy to programs. */
  readonly environment: Readonly<Record<string, string>>;
  /** Ends every connection. */
  close(): void;
}

export interface GateOptions {
  readonly policy: Extract<NetworkPolicy, object>;
  /** A process in the network of the guests. */
  readonly pid: number;
  /** Whether this process owns that network without being root. */
  readonly owned: boolean;
  /** Whether the commands are trusted. */
  readonly trusted: boolean;
  readonly report: (what: string) => void;
}

/** @throws SkeinError REQUEST_INVALID; Error when nothing can listen inside. */
export async function openGate({
  policy,
  pid,
  owned,
  trusted,
  report,
}: GateOptions): Promise<Gate> {
  const proxy = new Proxy({ allow: new AllowList(policy.allow), trusted, report });
  const server = await listenInside(pid, owned);
  server.on('connection', (client) => proxy.serve(client));
  void proxy.ended.then(() => server.close());
  return {
    environment: environmentOf(policy.allow),
    close: () => proxy.close(),
  };
}

/** Programs read some of these; the guest's own loopback does not go through the proxy. */
function environmentOf(allow: readonly string[]): Readonly<Record<string, string>> {
  const proxy = `http://${PROXY_HOST}:${PROXY_PORT}`;
  const own = allow.some((entry) => isLocalTarget(readEntry(entry)))
    ? {}
    : { NO_PROXY: 'localhost,127.0.0.1', no_proxy: 'localhost,127.0.0.1' };
  return { HTTP_PROXY: proxy, HTTPS_PROXY: proxy, http_proxy: proxy, https_proxy: proxy, ...own };
}
