/** Options of OpenAI's protocol. */
import type { Caller } from '../../access/contract.ts';
import type { KeptResponses } from '../../language/kept-responses.ts';
import type { LanguageOptions, LanguageTransport } from '../language/call.ts';
import type { Inference } from '@skein/serving';

export type OpenAiTransport = OpenAiOptions & LanguageTransport;

export interface OpenAiOptions extends LanguageOptions {
  /** For embeddings by a served encoder. */
  readonly inference: Inference;
  /** The stored ones of a caller; undefined: none are stored. */
  readonly responses: (caller: Caller) => Promise<KeptResponses | undefined>;
  /** Authenticates what clients keep for this node; undefined while it cannot be read. */
  readonly sealKey: () => Promise<Buffer | undefined>;
}
