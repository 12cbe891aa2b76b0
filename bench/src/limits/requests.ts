/**
 * `node bench/src/limits/requests.ts [PATTERN]`: how long each of the largest and most awkward requests of a caller
 * with a key blocks the event loop of a node, in processor time of its thread: wall time on a busy
 * machine includes other processes.
 */
import { COSTLY_REQUESTS } from './costly-bodies.ts';
import { call } from './faces/tensors.ts';
import { type Sent, turnOf } from './face.ts';
import { HOSTILE_MESSAGES } from './grpc-requests.ts';
import { post } from './http-request.ts';
import { withPlaces } from './places.ts';

/** Bound of every request, in milliseconds. */
const BOUND_MS = 100;

interface CostlyCase {
  readonly name: string;
  /** Made when it is sent: some have 64 MiB. */
  readonly sent: () => Sent;
}

const CASES: readonly CostlyCase[] = [
  ...HOSTILE_MESSAGES.map(({ name, message, gzip = false }) => ({
    name: `gRPC, with a key: ${name}`,
    sent: () => call(name, message(), gzip),
  })),
  ...COSTLY_REQUESTS.map(({ name, method, path, headers, body }) => ({
    name: `HTTP, with a key: ${name}`,
    sent: () => post(name, path, body(), headers, method),
  })),
];

export interface RequestReading {
  readonly name: string;
  readonly blockedMs: number;
}

/** Sends each once, on an idle node. */
export async function measureRequests(
  progress: (line: string) => void,
  pattern = /./,
): Promise<RequestReading[]> {
  return withPlaces(async (places) => {
    const readings: RequestReading[] = [];
    for (const { name, sent } of CASES.filter((each) => pattern.test(each.name))) {
      const { ms, status } = await turnOf(places, sent());
      progress(`${name}: status ${status}, ${ms.toFixed(0)} ms`);
      if (!(await places.node.alive())) throw new Error(`The node did not survive "${name}".`);
      readings.push({ name, blockedMs: ms });
    }
    return readings;
  });
}

if (import.meta.main) {
  const readings = await measureRequests(console.log, new RegExp(process.argv[2] ?? ''));
  if (readings.some(({ blockedMs }) => blockedMs > BOUND_MS)) process.exitCode = 1;
}
