/**
 * Requests per second at 16 connections: JSON, binary and gRPC, against FastAPI's JSON and a bare
 * Node server of sixty lines.
 */
import { closedLoop } from '../harness/h2load.ts';
import type { ServerProcess } from '../harness/process.ts';
import { median } from '../harness/statistics.ts';
import { binaryBody, grpcBody, jsonBody, peerBody, type BenchModel, type Body } from './models.ts';
import type { NodeProcess } from '../harness/node.ts';

const CONNECTIONS = 16;
/**
 * On two cores that the load and the model keep busy, V8 optimises a server for about so long: its rate
 * grows by half meanwhile (measured in slices of half a second after a start).
 */
const FIRST_WARM_UP_SECONDS = 4;
const LATER_WARM_UP_SECONDS = 0.2;

const SIDES = ['peerJson', 'json', 'bareJson', 'binary', 'bareBinary', 'grpc'] as const;
type Side = (typeof SIDES)[number];

export interface Throughput {
  /** Requests per second, the median of the rounds. */
  readonly rates: Readonly<Record<Side, number>>;
  /** The median over the rounds of one side's rate over the other's in the same round. */
  readonly ratios: {
    readonly jsonOverPeer: number;
    readonly binaryOverPeer: number;
    readonly grpcOverPeer: number;
    readonly jsonOverBare: number;
    readonly binaryOverBare: number;
  };
}

export interface Servers {
  readonly node: NodeProcess;
  /** FastAPI. */
  readonly peer: ServerProcess;
  readonly bare: ServerProcess;
}

/**
 * Takes the sides in turn, in short slices, and every other round in the opposite order. What slows
 * the machine down for a while then touches both sides of a ratio.
 */
export async function measureThroughput(
  { node, peer, bare }: Servers,
  model: BenchModel,
  rounds: number,
  seconds: number,
): Promise<Throughput> {
  const path = `/v2/models/${model.name}/infer`;
  const [json, binary, raw] = [jsonBody(model), binaryBody(model), peerBody(model)];
  const grpcUrl = `http://127.0.0.1:${node.grpcPort}/inference.GRPCInferenceService/ModelInfer`;
  const targets: Record<Side, readonly [url: string, body: Body]> = {
    peerJson: [`${peer.url}/json`, json],
    json: [node.url + path, json],
    bareJson: [`${bare.url}/json`, json],
    binary: [node.url + path, binary],
    bareBinary: [`${bare.url}/bytes`, raw],
    grpc: [grpcUrl, grpcBody(model)],
  };
  const rateOf = async (side: Side, warmUpSeconds: number): Promise<number> => {
    const [url, { bytes, headers }] = targets[side];
    try {
      const { requestsPerSecond } = await closedLoop({
        url,
        body: bytes,
        headers,
        connections: CONNECTIONS,
        seconds,
        warmUpSeconds,
        yields: true,
        protocol: side === 'grpc' ? 'http2' : 'http1',
      });
      return requestsPerSecond;
    } catch (error) {
      const counts = JSON.stringify(await refusals(node, model));
      throw new Error(`The node’s own count of refusals: ${counts}`, { cause: error });
    }
  };
  const taken: Record<Side, number>[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const rates = {} as Record<Side, number>;
    for (const side of round % 2 === 0 ? SIDES : SIDES.toReversed()) {
      rates[side] = await rateOf(side, round === 0 ? FIRST_WARM_UP_SECONDS : LATER_WARM_UP_SECONDS);
    }
    taken.push(rates);
  }
  await checkGrpcAnswers(node, model);
  const ratio = (side: Side, over: Side): number =>
    median(taken.map((rates) => rates[side] / rates[over]));
  const rates = SIDES.map((side) => [side, median(taken.map((each) => each[side]))] as const);
  return {
    rates: Object.fromEntries(rates) as Record<Side, number>,
    ratios: {
      jsonOverPeer: ratio('json', 'peerJson'),
      binaryOverPeer: ratio('binary', 'peerJson'),
      grpcOverPeer: ratio('grpc', 'peerJson'),
      jsonOverBare: ratio('json', 'bareJson'),
      binaryOverBare: ratio('binary', 'bareBinary'),
    },
  };
}

/** Requests that the node has refused, by code. Those that left are h2load's, which stops in the middle of some. */
async function refusals(node: NodeProcess, model: BenchModel): Promise<Record<string, number>> {
  const view = await node.client.getDeployment({ name: model.name });
  const refused = view.targets.flatMap((target) => Object.entries(target.refused));
  return Object.fromEntries(refused.filter(([code, count]) => count > 0 && code !== 'CANCELLED'));
}

/** h2load sees only HTTP statuses, which gRPC errors do not change; the node's own counters show errors. */
async function checkGrpcAnswers(node: NodeProcess, model: BenchModel): Promise<void> {
  const refused = await refusals(node, model);
  if (Object.keys(refused).length > 0) {
    throw new Error(`The node refused requests of the throughput run: ${JSON.stringify(refused)}`);
  }
}
