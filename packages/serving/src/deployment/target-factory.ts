/** Creates the target of a version; injected, so that policies can be tested without a runtime. */
import type { DeploymentSettings } from '@skein/api';
import type { Runtime } from '@skein/runtime';
import type { VersionRecord } from '@skein/state';
import type { WeightOf } from '../dispatch/queue/deadline-queue.ts';
import { CompositionTarget } from '../composition/composition-target.ts';
import type { Clock, Inference, ServingObserver, Target } from '../contract.ts';
import { createDispatcher } from '../dispatch/loop/dispatcher.ts';
import { LoopThread } from '../dispatch/loop/loop-thread.ts';
import { isolationOf } from './isolation.ts';
import { maxMemoryOf } from '../scaling/model-memory.ts';
import { quarantinedTarget } from '../quarantine/quarantined-target.ts';
import type { ServingLog } from '../serving-log.ts';
import { startTimeoutOf } from './settings.ts';

export interface TargetPlan {
  readonly deployment: string;
  readonly record: VersionRecord;
  /** A verified local path: of the ONNX file, or of the composition's module. */
  readonly path: string;
  readonly settings: DeploymentSettings;
  readonly observer: ServingObserver;
  /** Whether it has served before, so that no trial is needed. */
  readonly proven: boolean;
}

/** Starts nothing: the target has no replicas until `scaleTo`. */
export type MakeTarget = (plan: TargetPlan) => Target;

export interface FactoryOptions {
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly log: ServingLog;
  readonly weightOf: WeightOf;
  /** Whether every model runs in its own process, whatever its settings are. */
  readonly isolateModels: boolean;
  /** Where calls of compositions are sent. */
  readonly infer: Inference['infer'];
}

export function targetFactory({
  runtime,
  clock,
  log,
  weightOf,
  isolateModels,
  infer,
}: FactoryOptions): MakeTarget {
  const thread = new LoopThread();
  return ({ deployment, record, path, settings, observer, proven }) => {
    if (record.kind === 'composition') {
      return new CompositionTarget({
        deployment,
        record,
        modulePath: path,
        maxQueue: settings.maxQueue,
        objectiveMs: settings.objective.latencyMs,
        startTimeoutMs: startTimeoutOf(settings),
        weightOf,
        finiteOnly: settings.finiteOnly,
        clock,
        observer,
        infer,
        log,
      });
    }
    return quarantinedTarget(record.version, clock, observer, (notified, penalties) =>
      createDispatcher({
        deployment,
        version: record.version,
        signature: record.signature,
        model: { path },
        settings,
        isolation: isolationOf(settings, record, isolateModels),
        maxMemoryBytes: maxMemoryOf(settings, record.sizeBytes),
        triesFirst: !proven,
        penalties,
        runtime,
        clock,
        observer: notified,
        weightOf,
        thread,
      }),
    );
  };
}
