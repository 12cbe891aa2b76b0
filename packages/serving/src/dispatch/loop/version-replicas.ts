/**
 * The replicas of one version: how they are opened, isolated, tried and warmed, and what their runs
 * have shown so far.
 */
import type { DeploymentSettings } from '@skein/api';
import type { Signature } from '@skein/onnx';
import type { ModelSource, Runtime } from '@skein/runtime';
import type { Clock } from '../../contract.ts';
import { MAX_OUTPUT_BYTES } from '../../scaling/model-memory.ts';
import { startTimeoutOf } from '../../deployment/settings.ts';
import { LatencyModel } from '../cost/latency-model.ts';
import type { Shapes } from '../cost/synthetic-inputs.ts';
import { tryOut } from '../cost/trial.ts';
import { warm, type Warmth } from '../cost/warming.ts';
import { RunTimeout, StartTimeout, type Replica } from './replica.ts';
import { ReplicaSet } from './replica-set.ts';
import { replicaTuning } from '../replica-tuning.ts';

export interface VersionReplicasOptions {
  readonly version: string;
  readonly signature: Signature;
  readonly model: ModelSource;
  readonly settings: DeploymentSettings;
  /** Isolation of its replicas, until one of them cannot be ended; default: from the settings. */
  readonly isolation?: 'thread' | 'process' | undefined;
  /** Memory limit of the model in a replica, in bytes; default: no limit. */
  readonly maxMemoryBytes?: number | undefined;
  /** Whether the version is new: it gets a trial in a process before it runs in a thread; default: no. */
  readonly triesFirst?: boolean | undefined;
  readonly runtime: Runtime;
  readonly clock: Clock;
}

export class VersionReplicas extends ReplicaSet {
  readonly model: LatencyModel;
  warmth: Warmth | undefined;
  /** Shapes of a real request, for warming the next replica. */
  seen: Shapes | undefined;

  constructor(
    options: VersionReplicasOptions,
    onWarm: (warmth: Warmth) => void,
    onChange: (replica: Replica) => void,
  ) {
    const { settings, signature, clock, version, runtime, model } = options;
    const { threads, device, batching } = settings;
    const { maxMemoryBytes, triesFirst = false } = options;
    const session = { threads, device, maxMemoryBytes, maxOutputBytes: MAX_OUTPUT_BYTES };
    const objectiveMs = settings.objective.latencyMs;
    const warming = { signature, clock, maxRows: batching.maxRows, objectiveMs };
    const latencies = new LatencyModel();
    let isolation = options.isolation ?? (settings.isolation === 'process' ? 'process' : 'thread');
    super({
      clock,
      version,
      startTimeoutMs: startTimeoutOf(settings) * (triesFirst ? 1 : replicaTuning.provenStartTimes),
      isolation: () => isolation,
      prove: triesFirst
        ? async (signal) => {
            this.warmth = await tryOut({ runtime, model, session, warming }, signal);
          }
        : undefined,
      open: (signal, isolated) => runtime.open(model, { ...session, isolation: isolated }, signal),
      warm: async (opened) => {
        const { seen, warmth: known } = this;
        const { runsPerSize } = replicaTuning;
        onWarm(await warm(opened, { ...warming, model: latencies, seen, known, runsPerSize }));
      },
      onChange: (replica) => {
        // Its thread keeps running, with its core and its memory. The next replica can be ended.
        const { failure } = replica;
        if (failure instanceof RunTimeout || failure instanceof StartTimeout) isolation = 'process';
        onChange(replica);
      },
    });
    this.model = latencies;
  }
}
