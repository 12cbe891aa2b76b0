/** A simulated fleet: its nodes, the network between them, and the requests that reach it. */
import { Events } from './events.ts';
import { probeTimeoutMs } from '../routing/route.ts';
import { SimNode, type SimRequest, Tally } from './node.ts';
import { exponential, lognormal, type Random, seededRandom } from './random.ts';
import { capacityOf, type Scenario } from './scenarios.ts';

export interface RoutingPolicy {
  readonly name: string;
  /** Made for one run. */
  readonly make: (fleet: Fleet) => (request: SimRequest, entry: number) => void;
}

export interface SimulationOptions {
  readonly nodes: number;
  readonly scenario: Scenario;
  readonly policy: RoutingPolicy;
  readonly seed?: number;
  readonly durationMs?: number;
  readonly deadlineMs?: number;
  /** Mean size of a request, in milliseconds at full speed; sizes are exponential. */
  readonly meanMs?: number;
  /** One way between two nodes, in milliseconds. */
  readonly networkMs?: number;
}

export interface SimulationResult {
  readonly requests: number;
  /** Answered in time, as a share of all requests. */
  readonly goodput: number;
  /** Latency of the answered requests, from arrival, in milliseconds. */
  readonly p99Ms: number;
  /** Probes and forwards per request. */
  readonly messages: number;
}

/** Spread of a run's time around its estimate, as a standard deviation of the logarithm. */
const SPREAD = 0.05;
/** Requests before this are not counted: the queues are still empty. */
const WARM_UP_MS = 500;

export class Fleet {
  readonly events = new Events();
  readonly nodes: readonly SimNode[];
  readonly random: Random;
  readonly networkMs: number;
  readonly #reaches: NonNullable<Scenario['reaches']>;

  constructor({ nodes, scenario, seed = 1, networkMs = 0.25 }: SimulationOptions) {
    this.random = seededRandom(seed);
    const noise = seededRandom(seed + 1);
    const cost = (node: number, size: number, now: number): number =>
      size * scenario.slowness(node, now) * lognormal(noise, SPREAD);
    this.nodes = Array.from({ length: nodes }, (_, id) => new SimNode(id, this.events, cost));
    this.networkMs = networkMs;
    this.#reaches = scenario.reaches ?? (() => true);
  }

  /** Sends a request to a node; `then` is called there, or here after the time-out. */
  send(
    request: SimRequest,
    from: number,
    to: number,
    timeoutMs: number,
    then: (arrived: boolean) => void,
  ): void {
    if (from === to) {
      then(true);
      return;
    }
    request.tally.messages++;
    const arrives = this.#reaches(from, to, this.events.now);
    this.events.after(arrives ? this.networkMs : timeoutMs, () => then(arrives));
  }

  /** Asks a node for its predicted finish; undefined: no answer in time. */
  probe(
    request: SimRequest,
    from: number,
    to: number,
    timeoutMs: number,
    then: (finishMs: number | undefined) => void,
  ): void {
    this.send(request, from, to, timeoutMs, (arrived) => {
      if (!arrived) {
        then(undefined);
        return;
      }
      const finishMs = this.nodes[to]!.predict(request.size);
      this.events.after(this.networkMs, () => then(finishMs));
    });
  }
}

/** A caller that gets no answer from a node tries the next one after so long, in every policy. */
export function attempt({ events }: Fleet, { deadline }: SimRequest): number {
  return probeTimeoutMs(deadline - events.now);
}

export function simulate(options: SimulationOptions): SimulationResult {
  const { scenario, policy, durationMs = 5000, deadlineMs = 100, meanMs = 10 } = options;
  const fleet = new Fleet(options);
  const { events, random, nodes } = fleet;
  const route = policy.make(fleet);
  const capacity = capacityOf(scenario, nodes.length) / meanMs;
  const { entry = (count, at) => Math.floor(at * count) } = scenario;
  const [warmUp, counted] = [new Tally(), new Tally()];
  const arrive = (): void => {
    const { now } = events;
    const request: SimRequest = {
      arrivedAt: now,
      deadline: now + deadlineMs,
      size: Math.max(0.1, exponential(random) * meanMs),
      tally: now < WARM_UP_MS ? warmUp : counted,
      answered: false,
    };
    request.tally.requests++;
    route(request, entry(nodes.length, random()));
    const next = exponential(random) / (capacity * scenario.load(now));
    if (now + next < durationMs) events.after(next, arrive);
  };
  events.after(0, arrive);
  events.run();
  return resultOf(counted);
}

function resultOf({ requests, inTime, messages, latencies }: Tally): SimulationResult {
  const sorted = Float64Array.from(latencies).sort();
  return {
    requests,
    goodput: inTime / requests,
    p99Ms: sorted[Math.floor(0.99 * (sorted.length - 1))] ?? 0,
    messages: messages / requests,
  };
}
