/**
 * The serving plane against FastAPI + uvicorn + ONNX Runtime: same models, same machine, same
 * generators, one run.
 */
import { join } from 'node:path';
import { temporaryFolder } from '../harness/folder.ts';
import { closedLoop } from '../harness/h2load.ts';
import { debianVersion } from '../harness/machine.ts';
import type { ServerProcess } from '../harness/process.ts';
import type { BenchReport } from '../harness/report.ts';
import { measureAddedLatency } from './added-latency.ts';
import { measureCeiling } from './ceiling.ts';
import { measureColdStart } from './cold-start.ts';
import { measureGatewayThreads } from './gateway-threads.ts';
import { SERVING_MEASURES } from './measures.ts';
import { binaryBody, mlpModel, peerBody, recogniserModel, type Body } from './models.ts';
import { measureIdleModels } from './idle-models.ts';
import { measureOcrOverload } from './ocr-overload.ts';
import { measureOverload, OBJECTIVE_MS, type Overload } from './overload.ts';
import { measureRollout } from './rollout.ts';
import { deploy, launchBareNode, launchPeer, launchSkein } from './servers.ts';
import { measureThroughput } from './throughput.ts';

interface Options {
  readonly quick: boolean;
  readonly progress: (line: string) => void;
}

export async function benchServing({ quick, progress }: Options): Promise<BenchReport> {
  const folder = await temporaryFolder();
  const stops: (() => Promise<void>)[] = [];
  try {
    const mlp = mlpModel(folder.path, 1);
    const recogniser = recogniserModel();

    progress('cold start');
    const coldStartMs = await measureColdStart(join(folder.path, 'cold'), mlp, quick ? 1 : 5);

    progress('starting the node and the peer');
    const stoppable = async <T extends { stop(): Promise<void> }>(launch: Promise<T>) => {
      const launched = await launch;
      stops.push(() => launched.stop());
      return launched;
    };
    const [node, peer, bare] = await Promise.all([
      stoppable(launchSkein(join(folder.path, 'node'))),
      stoppable(launchPeer(mlp, false)),
      stoppable(launchBareNode(mlp)),
    ]);
    await deploy(node, mlp, { objective: { latencyMs: 500, quantile: 0.99 } });

    progress('throughput at 16 connections: FastAPI, bare Node, JSON, binary, gRPC');
    const servers = { node, peer, bare };
    const throughput = await measureThroughput(servers, mlp, quick ? 3 : 9, quick ? 0.5 : 1);
    await Promise.all([peer.stop(), bare.stop()]);

    progress('latency added at one connection');
    const latency = await measureAddedLatency(node, mlp, quick ? 1 : 5, 1);
    await node.client.undeploy({ name: mlp.name });

    progress('images in JSON with one gateway thread, and with several');
    const gatewayThreads = await measureGatewayThreads(folder.path, quick ? 3 : 9, 1);

    progress('memory of small models');
    const idleModels = await measureIdleModels(node);

    progress('ceiling of the OCR recogniser');
    // Saturation needs a backlog, which the objective of the overload would refuse.
    await deploy(node, recogniser, { objective: { latencyMs: 10_000 } });
    const ceiling = await measureCeiling(node, recogniser, quick ? 1 : 3, quick ? 1 : 5);

    progress('overload at three times the capacity');
    await node.client.changeSettings({
      name: recogniser.name,
      settings: { objective: { latencyMs: OBJECTIVE_MS } },
    });
    const path = `/v2/models/${recogniser.name}/infer`;
    const overload = await measureOverload(
      { port: node.port, path, body: binaryBody(recogniser), objectiveMs: OBJECTIVE_MS },
      ceiling.servedRowsPerSecond,
      quick ? 1.5 : 15,
    );

    progress('swapping a version under load');
    const rollout = await measureRollout(
      node,
      recogniser,
      quick ? 5 : 3,
      ceiling.servedRowsPerSecond / 2,
      quick ? 1.5 : 10,
    );
    await node.client.undeploy({ name: recogniser.name });

    progress('the OCR example at three times its capacity');
    const ocrOverload = await measureOcrOverload(node, quick ? 3 : 30);
    await node.stop();

    let peerOverload: Overload | undefined;
    if (!quick) {
      progress('the peer under the same overload');
      const slowPeer = await stoppable(launchPeer(recogniser, true));
      peerOverload = await overloadPeer(slowPeer, peerBody(recogniser));
    }

    return {
      name: 'serving',
      peer: `FastAPI ${debianVersion('python3-fastapi')}, uvicorn ${debianVersion('python3-uvicorn')}, ONNX Runtime ${debianVersion('python3-onnxruntime')}`,
      measures: SERVING_MEASURES,
      results: {
        http_json_vs_fastapi: throughput.ratios.jsonOverPeer,
        http_binary_vs_fastapi: throughput.ratios.binaryOverPeer,
        grpc_vs_fastapi: throughput.ratios.grpcOverPeer,
        json_vs_bare: throughput.ratios.jsonOverBare,
        binary_vs_bare: throughput.ratios.binaryOverBare,
        added_p50_ms: latency.addedMs,
        ceiling_fraction: ceiling.fraction,
        overload_goodput_fraction: overload.goodputFraction,
        overload_admitted_p99_ratio: overload.admittedP99Ratio,
        overload_shed_p99_ms: overload.shedP99Ms,
        ...(peerOverload && {
          fastapi_overload_goodput_fraction: peerOverload.goodputFraction,
        }),
        ocr_overload_goodput_fraction: ocrOverload.goodputFraction,
        ocr_overload_admitted_p99_ratio: ocrOverload.admittedP99Ratio,
        rollout_p99_ratio: rollout.p99Ratio,
        cold_start_ms: coldStartMs,
        gateway_threads_speedup: gatewayThreads.speedup,
        idle_model_mib: idleModels.mib,
      },
      details: {
        throughput,
        latency,
        gatewayThreads,
        idleModels,
        ceiling,
        overload,
        peerOverload,
        ocrOverload,
        rollout,
      },
    };
  } finally {
    for (const stop of stops) await stop();
    await folder.remove();
  }
}

/** Its capacity in a closed loop, then three times as much. */
async function overloadPeer({ url }: ServerProcess, body: Body): Promise<Overload> {
  const { requestsPerSecond } = await closedLoop({
    url: `${url}/bytes`,
    body: body.bytes,
    headers: body.headers,
    connections: 8,
    seconds: 5,
    protocol: 'http1',
  });
  const target = {
    port: Number(new URL(url).port),
    path: '/bytes',
    body,
    objectiveMs: OBJECTIVE_MS,
  };
  return measureOverload(target, requestsPerSecond, 15);
}
