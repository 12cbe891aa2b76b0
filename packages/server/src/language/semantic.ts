/** What semantic caches have done, as the API and `/metrics` show it. */
import type { SemanticCacheView } from '@skein/api';
import type * as Generative from '@skein/generative';
import { type Exposition, labelled } from '@skein/http';

export interface SemanticView {
  /** What the gateways count into. */
  readonly cache: Generative.SemanticCache;
  /** Empty for a model without one. */
  of(model: string): { readonly semanticCache?: SemanticCacheView };
  all(): readonly (SemanticCacheView & { readonly model: string })[];
}

/** @param generative the package, which is loaded with the first language model. */
export function semanticView(
  generative: Pick<
    typeof Generative,
    'comparedFrom' | 'createSemanticCounts' | 'suggestedThreshold'
  >,
): SemanticView {
  const cache = generative.createSemanticCounts();
  function viewOf(model: string): SemanticCacheView {
    const { lookups, hits, failed, threshold, compared } = cache.of(model);
    const ofHits = generative.comparedFrom(compared, threshold);
    const suggested = generative.suggestedThreshold(compared);
    return {
      lookups,
      hits,
      failed,
      compared: ofHits.compared,
      different: ofHits.different,
      ...(suggested === undefined ? {} : { suggestedThreshold: suggested }),
    };
  }
  return {
    cache,
    of: (model) => (cache.all().has(model) ? { semanticCache: viewOf(model) } : {}),
    all: () => [...cache.all().keys()].map((model) => ({ model, ...viewOf(model) })),
  };
}

export function exposeSemantic(
  all: readonly (SemanticCacheView & { readonly model: string })[],
  into: Exposition,
): void {
  if (all.length === 0) return;
  const family = (
    name: string,
    help: string,
    of: (view: SemanticCacheView) => Readonly<Record<string, number>>,
    label: string,
  ): void => {
    into.family(name, 'counter', help);
    for (const view of all) {
      for (const [value, count] of Object.entries(of(view))) {
        into.sample(labelled({ model: view.model, [label]: value }), count);
      }
    }
  };
  family(
    'skein_language_semantic_lookups_total',
    'Questions that a semantic cache was asked for, by outcome.',
    ({ lookups, hits, failed }) => ({ hit: hits, miss: lookups - hits - failed, failed }),
    'outcome',
  );
  family(
    'skein_language_semantic_comparisons_total',
    'Answers of a semantic cache at its threshold that were compared with those of the model.',
    ({ compared, different }) => ({ same: compared - different, different }),
    'answer',
  );
}
