/** Input and output of an operation; the types follow from the endpoint table. */
import type { EndpointOf, OperationId, PartOf, ResponseOf } from '@skein/api';
import type { Download } from '@skein/http';
import type { Caller } from '../../access/contract.ts';

export interface Call<Id extends OperationId> {
  readonly caller: Caller;
  readonly params: PartOf<EndpointOf<Id>, 'params'>;
  readonly query: PartOf<EndpointOf<Id>, 'query'>;
  readonly body: PartOf<EndpointOf<Id>, 'body'>;
  /** The raw body of an upload, streamed. */
  readonly content: AsyncIterable<Uint8Array>;
}

/** @throws SkeinError for every refusal. */
export type Handler<Id extends OperationId> = (
  call: Call<Id>,
) => Promise<AnswerOf<Id>> | AnswerOf<Id>;

type AnswerOf<Id extends OperationId> =
  EndpointOf<Id> extends { download: string } ? Download : ResponseOf<EndpointOf<Id>>;

/** The operations with a single answer, unlike event streams. */
export type Operation = Exclude<OperationId, 'streamEvents' | 'streamJobEvents'>;

export type Handlers = { readonly [Id in Operation]: Handler<Id> };
