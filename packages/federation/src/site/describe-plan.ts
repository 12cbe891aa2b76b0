/**
 * A plan in words for the person who decides: its terms, the data that leaves the machine, and the data that
 * stays. The command and the page show the same sentences. Each kind of the plan adds its own.
 */
import { aroundOf, choicesOf, privacyIn, strategyIn } from '../plan/kinds/choices.ts';
import type { Reader, Words } from '../plan/kinds/kind.ts';
import type { Plan } from '../plan/plan.ts';
import { countsIn } from '../statistics/layout.ts';
import { plannedText } from './site-rows.ts';

export type PlanWords = Words;

/** The sentences of all kinds of the plan. @param site as the reader names it. */
function wordsOf(plan: Plan, site: string): Words {
  const around = aroundOf(plan);
  const { when = 'In each round' } = strategyIn(plan);
  const reader: Reader = { site, when, drawn: privacyIn(plan).drawn };
  const all = choicesOf(plan).map(({ chosen }) => chosen.words?.(around, reader) ?? {});
  return {
    facts: [...generalFacts(plan), ...all.flatMap(({ facts = [] }) => facts)],
    leaves: all.flatMap(({ leaves = [] }) => leaves),
    stays: all.flatMap(({ stays = [] }) => stays),
    warnings: all.flatMap(({ warnings = [] }) => warnings),
  };
}

function generalFacts(plan: Plan): Words['facts'] {
  const { data, local, model, name, rounds, sites, strategy } = plan;
  const isCounting = countsIn(plan) !== undefined;
  const columns = [...data.features, data.target]
    .map((column) => `${column.name} (${plannedText(column)})`)
    .join(', ');
  return [
    ['federation', name],
    [
      'model',
      `${isCounting ? 'as it is' : `${model.parameters.toLocaleString('en')} numbers`}, sha-256 ${model.digest.slice(0, 16)}…`,
    ],
    ['columns', columns],
    [
      'rounds',
      isCounting
        ? 'one, which counts rows and trains nothing'
        : `${rounds} of ${strategy.name}, ${local.steps} ${local.steps === 1 ? 'step' : 'steps'} at each site`,
    ],
    ['sites', `${sites.minimum} to ${sites.maximum}; a sum holds at least ${sites.threshold}`],
  ];
}

/** For the person at a helper, which has no rows. */
export function describeHelp(plan: Plan): PlanWords {
  const promise = privacyIn(plan).promise?.('a site');
  return {
    facts: wordsOf(plan, 'a site').facts,
    leaves: [
      'In each attempt of a round the sum of the masks of the sites that are in it, once.',
      ...(promise === undefined
        ? []
        : [
            `Noise of this helper is in that sum: all rounds together reveal little about ${promise}.`,
          ]),
      'The public keys of this helper, its signatures, and the times at which it answers.',
    ],
    stays: ['The private keys of this helper, and with them the masks of each single site.'],
    warnings: [
      'If all helpers work together with the coordinator, they can read the update of a site: give your keys to none of them.',
    ],
  };
}

/** For the person at a site. */
export function describePlan(plan: Plan): PlanWords {
  const words = wordsOf(plan, 'this site');
  return {
    facts: words.facts,
    leaves: [
      ...words.leaves,
      'The public key of this site, its signatures, and the times at which it answers.',
    ],
    stays: [
      'The file, with every row and every column.',
      'The values, categories and averages of its columns.',
      ...(countsIn(plan) === undefined
        ? ['The loss and the accuracy on the rows of this site.']
        : []),
      ...words.stays,
    ],
    warnings: [
      ...words.warnings,
      ...(plan.data.scaling === 'site'
        ? ['Numbers are scaled by the mean of this site’s rows.']
        : []),
    ],
  };
}
