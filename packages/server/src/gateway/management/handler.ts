/** What an operation gets and gives; its types follow from the endpoint table. */
import type { EndpointOf, OperationId, PartOf, ResponseOf } from '@skein/api';
import type { Caller } from '../../access/contract.ts';

export interface Call<Id extends OperationId> {
  readonly caller: Caller;
  readonly params: PartOf<EndpointOf<Id>, 'params'>;
  readonly query: PartOf<EndpointOf<Id>, 'query'>;
  readonly body: PartOf<EndpointOf<Id>, 'body'>;
  /** The raw body of an upload, as it arrives. */
  readonly content: AsyncIterable<Uint8Array>;
}

/** @throws SkeinError for every refusal. */
export type Handler<Id extends OperationId> = (
  call: Call<Id>,
) => Promise<ResponseOf<EndpointOf<Id>>> | ResponseOf<EndpointOf<Id>>;

/** The operations that answer with one value; an event stream is not one. */
export type Operation = Exclude<OperationId, 'streamEvents'>;

export type Handlers = { readonly [Id in Operation]: Handler<Id> };
