/** The language models of a node. Nothing of them is loaded before the first call. */
import type { EmbedDeployed } from '@skein/generative';
import { encoderOf, encodeTexts } from '../language/encoder.ts';
import { createLanguageModels, type LanguageModels } from '../language/language-models.ts';
import type { LanguageUse } from '../language/use.ts';
import type { Callers } from './callers.ts';
import type { InferenceComponent } from './inference.ts';
import type { Opening } from './component.ts';
import type { StorageComponent } from './storage.ts';

export interface LanguageComponentOptions {
  readonly storage: StorageComponent;
  readonly callers: Callers;
  readonly plane: Pick<InferenceComponent, 'tracedGateway' | 'inference'>;
  readonly use: LanguageUse;
}

export function openLanguageModels(
  { lifecycle, logger }: Opening,
  { storage, callers, plane, use }: LanguageComponentOptions,
): LanguageModels {
  const { weightOf } = callers;
  const traced = plane.tracedGateway;
  const embed: EmbedDeployed = (model) => {
    const encoder = encoderOf(plane.inference, model);
    return (
      encoder &&
      ((texts, { requestId: id, tenant, trace, signal }) =>
        encodeTexts(plane.inference, encoder, texts, { id, tenant, trace, signal }))
    );
  };
  const { state } = storage;
  const models = createLanguageModels({ state, use, weightOf, embed, logger, traced });
  lifecycle.open('language models', () => models.close());
  return models;
}
