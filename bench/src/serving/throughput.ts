/** Requests per second at 16 connections: JSON, binary and gRPC, beside FastAPI's JSON. */
import { closedLoop } from '../harness/h2load.ts';
import type { ServerProcess } from '../harness/process.ts';
import { median } from '../harness/statistics.ts';
import { binaryBody, grpcBody, jsonBody, type BenchModel } from './models.ts';
import type { SkeinNode } from './servers.ts';

const CONNECTIONS = 16;

export interface Throughput {
  readonly json: number;
  readonly binary: number;
  readonly grpc: number;
  readonly peerJson: number;
}

/**
 * Alternates between the four, round by round, and returns the median of each: drift of the machine
 * affects all alike.
 */
export async function measureThroughput(
  node: SkeinNode,
  peer: ServerProcess,
  model: BenchModel,
  rounds: number,
  seconds: number,
): Promise<Throughput> {
  const path = `/v2/models/${model.name}/infer`;
  const [json, binary, grpc] = [jsonBody(model), binaryBody(model), grpcBody(model)];
  const common = { connections: CONNECTIONS, seconds, yields: true } as const;
  const runs = {
    json: () =>
      closedLoop({
        ...common,
        url: node.url + path,
        body: json.bytes,
        headers: json.headers,
        protocol: 'http1',
      }),
    binary: () =>
      closedLoop({
        ...common,
        url: node.url + path,
        body: binary.bytes,
        headers: binary.headers,
        protocol: 'http1',
      }),
    grpc: () =>
      closedLoop({
        ...common,
        url: `http://127.0.0.1:${node.grpcPort}/inference.GRPCInferenceService/ModelInfer`,
        body: grpc.bytes,
        headers: grpc.headers,
        protocol: 'http2',
      }),
    peerJson: () =>
      closedLoop({
        ...common,
        url: `${peer.url}/json`,
        body: json.bytes,
        headers: json.headers,
        protocol: 'http1',
      }),
  };
  const rates: Record<keyof typeof runs, number[]> = {
    json: [],
    binary: [],
    grpc: [],
    peerJson: [],
  };
  for (let round = 0; round < rounds; round += 1) {
    for (const key of ['peerJson', 'json', 'binary', 'grpc'] as const) {
      try {
        rates[key].push((await runs[key]()).requestsPerSecond);
      } catch (error) {
        const told = JSON.stringify(await refusals(node, model));
        throw new Error(`The node’s own count of refusals: ${told}`, { cause: error });
      }
    }
  }
  await checkGrpcAnswers(node, model, rates.grpc);
  return {
    json: median(rates.json),
    binary: median(rates.binary),
    grpc: median(rates.grpc),
    peerJson: median(rates.peerJson),
  };
}

/** Requests that the node has refused, by code. Those that left are h2load's, which stops in the middle of some. */
async function refusals(node: SkeinNode, model: BenchModel): Promise<Record<string, number>> {
  const view = await node.client.getDeployment({ name: model.name });
  const refused = view.targets.flatMap((target) => Object.entries(target.refused));
  return Object.fromEntries(refused.filter(([code, count]) => count > 0 && code !== 'CANCELLED'));
}

/** h2load sees only HTTP statuses, which gRPC errors do not touch; the node's own counters tell. */
async function checkGrpcAnswers(
  node: SkeinNode,
  model: BenchModel,
  rates: readonly number[],
): Promise<void> {
  if (rates.length === 0) return;
  const refused = await refusals(node, model);
  if (Object.keys(refused).length > 0) {
    throw new Error(`The node refused requests of the throughput run: ${JSON.stringify(refused)}`);
  }
}
