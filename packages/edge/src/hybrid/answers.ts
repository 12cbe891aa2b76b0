/** The interface of an edge: its answers, with their place, version and reason, and its versions. */
import type { SkeinError } from '@skein/api/errors';
import type { TensorMap } from '@skein/onnx';
import type { Session } from '@skein/runtime/contract';
import type { UpdateOutcome } from '../update/updater.ts';

/** The node that answers in place of the device. */
export interface EdgeServer {
  readonly url: string;
  readonly key?: string | undefined;
}

/** The backend of a session, and its threads. */
export interface RunsOn {
  readonly backend: 'native' | 'webgpu' | 'wasm';
  readonly threads: number;
  /** Why a faster backend was not taken. */
  readonly why?: string | undefined;
}

export interface LocalSession extends Session {
  readonly runsOn: RunsOn;
}

export interface EdgeInferOptions {
  /** The input must not leave the device. Default: false. */
  readonly private?: boolean;
  /** Milliseconds within which the answer counts; default: the bundle's. */
  readonly deadlineMs?: number | undefined;
}

export interface EdgeAnswer {
  readonly outputs: TensorMap;
  readonly where: 'local' | 'remote';
  readonly why: string;
  /** The version of the bundle, or of the deployment. */
  readonly version: string;
  readonly tookMs: number;
  /** Present in a local answer. */
  readonly runsOn?: RunsOn | undefined;
}

export interface Edge {
  /** The installed version; undefined before the first update. */
  readonly version: number | undefined;
  /** Failed versions, which are not installed again. */
  readonly failed: readonly { readonly version: number; readonly reason: string }[];
  /** The backend of the installed version; undefined if none is loaded. */
  readonly runsOn: RunsOn | undefined;
  /** @throws SkeinError EDGE_NOT_ANSWERED; of the node; RuntimeFailure `run` where the model refuses the input. */
  infer(inputs: TensorMap, options?: EdgeInferOptions): Promise<EdgeAnswer>;
  /** Installs the newest version, if there is another. @throws SkeinError as `Updater.update`. */
  update(): Promise<UpdateOutcome>;
  close(): Promise<void>;
}

/** An edge that is a member of a node. */
export interface ReportingEdge extends Edge {
  /** Id and name of the device at its node; undefined without `report`, and until it is enrolled. */
  readonly device: { readonly id: string; readonly name: string } | undefined;
  /** Why the last report was not accepted; it is tried again. */
  readonly reportFault: SkeinError | undefined;
  /** Sends a report now, in place of waiting for the next one. @throws SkeinError of the node; USAGE without `report`. */
  report(): Promise<void>;
}

export interface ReportOptions {
  /** A link that `skein edge invite` printed; a device that is enrolled needs none. */
  readonly invitation?: string | undefined;
}
