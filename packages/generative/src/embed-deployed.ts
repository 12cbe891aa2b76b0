/**
 * Vectors by a deployed model, which is no route of a language model: its tokens count in the budgets
 * and in the use of the caller all the same.
 */
import { NOTHING } from './call.ts';
import type { Caller, Embeddings, EmbedRequest, Receipt, Usage } from './contract.ts';
import { FieldError } from './field-error.ts';
import type { EmbedDeployed } from './gateway-options.ts';
import { payerOf, type Ledger } from './money/ledger.ts';
import { inputTokens } from './money/price.ts';

/** In place of a provider's name. No provider has it: names have no brackets. */
const DEPLOYED = '(deployed)';

export interface DeployedPlane {
  readonly embed: EmbedDeployed | undefined;
  readonly ledger: Ledger;
  readonly clock: { now(): number };
}

/**
 * @returns undefined when no deployed model of the name gives vectors.
 * @throws SkeinError BUDGET_SPENT, what the model itself throws, and a FieldError for other dimensions.
 */
export async function embedDeployed(
  { embed, ledger, clock }: DeployedPlane,
  request: EmbedRequest,
  caller: Caller,
): Promise<(Embeddings & { readonly receipt: Receipt }) | undefined> {
  const { model, inputs, dimensions } = request;
  const encode = embed?.(model);
  if (encode === undefined) return undefined;
  if (dimensions !== undefined) {
    throw new FieldError('dimensions', `The vectors of "${model}" have one length.`);
  }
  const { most, expected } = inputTokens({ model, inputs });
  const reservation = await ledger.reserve(payerOf(caller), { nanoDollars: 0, tokens: most });
  let usage: Usage = NOTHING;
  try {
    const { vectors, usage: counted } = await encode(inputs, caller);
    usage =
      counted.inputTokens > 0 ? counted : { ...counted, inputTokens: expected, isEstimate: true };
    const receipt: Receipt = {
      provider: DEPLOYED,
      model,
      usage,
      costUsd: 0,
      answerUsd: 0,
      cache: 'miss',
      attempts: 1,
      ttftMs: clock.now() - caller.arrivedAt,
    };
    return { vectors, usage, receipt };
  } finally {
    reservation.settle({ nanoDollars: 0, tokens: usage.inputTokens });
  }
}
