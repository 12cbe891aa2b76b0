/** Options of the Open Inference Protocol, over HTTP and gRPC. */
import type { FaceAccess } from '../../access/refused-logins.ts';
import type { GrpcTransport, HttpTransport } from '../face.ts';
import type { RefusalListener } from '../rules.ts';
import type { ModelRepository } from './models/repository.ts';
import type { SharedRegions } from './shared-memory/shared-memory.ts';
import type { StatisticsSource } from './statistics.ts';
import type { PayloadCodec } from './tensors/payload-codec.ts';
import type { Inference } from '@skein/serving';

export type HttpOptions = InferenceOptions & HttpTransport;

export type GrpcOptions = InferenceOptions & GrpcTransport;

export interface InferenceOptions {
  readonly inference: Inference;
  readonly access: FaceAccess;
  /** Called for requests that are refused before the serving plane. */
  readonly refused?: RefusalListener | undefined;
  readonly codec: PayloadCodec;
  readonly repository: ModelRepository;
  readonly statistics: StatisticsSource;
  /** Name of the server in the protocol's metadata. Default: `skein`. */
  readonly serverName?: string | undefined;
  readonly regions: SharedRegions;
  /** Whether the deployments of the store have been restored. */
  readonly hasRestored: () => boolean;
  /** Version of the node. */
  readonly version: string;
}
