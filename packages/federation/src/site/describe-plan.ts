/**
 * A plan in words for the person who decides: what it is, what leaves the machine, and what does
 * not. The command and the page show the same sentences.
 */
import { bufferOf } from '../plan/buffer.ts';
import { helpersOf, isCohortFixed } from '../plan/helpers.ts';
import type { Plan } from '../plan/plan.ts';
import { plannedText } from './site-rows.ts';

export interface PlanWords {
  readonly facts: readonly (readonly [term: string, text: string])[];
  /** Data that is sent to the coordinator. */
  readonly leaves: readonly string[];
  /** Data that stays here. */
  readonly stays: readonly string[];
  /** Terms that a careful person would not want. */
  readonly warnings: readonly string[];
}

/** How rows, or sites, get into the sum of a round. */
function chosenWords({ privacy }: Plan): readonly string[] {
  if (privacy.mode === 'none' || privacy.sampling.kind === 'all') return [];
  const each = privacy.mode === 'client' ? 'This site is' : 'Each row is';
  const { sampling } = privacy;
  return [
    `${each} in the sum of a round with a probability of ${+(100 * sampling.rate).toPrecision(3)} %, drawn here and never sent.`,
  ];
}

const hides = ({ privacy }: Plan, site: string): string =>
  privacy.mode === 'patient' ? 'any one row' : `all rows of ${site}`;
const budgetOf = ({ privacy }: Plan): string =>
  privacy.mode === 'none' ? '' : `ε ≤ ${privacy.epsilon} at δ = ${privacy.delta}`;
const AGGREGATION = {
  pairwise: 'pairwise masks; the coordinator reads only the sum over sites',
  committee:
    'masks that helpers remove from the sum; no one of them, nor the coordinator, reads an update',
  none: 'none: the coordinator reads each update',
} as const;

const verb = (count: number | undefined): string => (count === 1 ? 'colludes' : 'collude');

/** The facts of a plan. @param site how the reader calls a site. */
function factsOf(plan: Plan, site: string): PlanWords['facts'] {
  const { aggregation, collusion, data, local, model, privacy, rounds, sites, strategy } = plan;
  const numbers = model.parameters.toLocaleString('en');
  const columns = [...data.features, data.target]
    .map((column) => `${column.name} (${plannedText(column)})`)
    .join(', ');
  const helpers = helpersOf(plan);
  const buffer = bufferOf(plan);
  const others =
    helpers.length === 0
      ? `${collusion.sites} of the other sites ${verb(collusion.sites)}`
      : `${collusion.helpers ?? 0} of the ${helpers.length} helpers ${verb(collusion.helpers)}`;
  const taken =
    aggregation.kind === 'none' && aggregation.robust !== undefined
      ? `, and takes their ${aggregation.robust.name}`
      : '';
  return [
    ['federation', plan.name],
    ['model', `${numbers} numbers, sha-256 ${model.digest.slice(0, 16)}…`],
    ['columns', columns],
    [
      'rounds',
      `${rounds} of ${strategy.name}, ${local.steps} ${local.steps === 1 ? 'step' : 'steps'} at each site`,
    ],
    ...(buffer === undefined
      ? []
      : [
          [
            'buffer',
            `a round ends with ${buffer.buffer} updates; one may be of the model of up to ${buffer.staleness} rounds ago, and counts less then`,
          ] as const,
        ]),
    ['sites', `${sites.minimum} to ${sites.maximum}; a sum holds at least ${sites.threshold}`],
    ['aggregation', `${AGGREGATION[aggregation.kind]}${taken}`],
    ...helpers.map(
      (helper, at) =>
        [
          at === 0 ? 'helpers' : '',
          `${helper.name}, key ${helper.identity.slice(0, 32)}…`,
        ] as const,
    ),
    [
      'privacy',
      privacy.mode === 'none'
        ? 'none'
        : `hides ${hides(plan, site)}: ${budgetOf(plan)}, also if ${others} with the coordinator`,
    ],
  ];
}

/** For the person at a helper, which has no rows. */
export function describeHelp(plan: Plan): PlanWords {
  return {
    facts: factsOf(plan, 'a site'),
    leaves: [
      'In each attempt of a round the sum of the masks of the sites that are in it, once.',
      ...(plan.privacy.mode === 'none'
        ? []
        : [
            `Noise of this helper is in that sum: all rounds together reveal little about ${hides(plan, 'a site')} (${budgetOf(plan)}).`,
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
  const { aggregation, collusion, data, model, privacy, sites, strategy } = plan;
  const numbers = model.parameters.toLocaleString('en');
  const share = aggregation.kind === 'none' ? undefined : aggregation.share;
  const sent = share === undefined ? numbers : `${+(100 * share).toPrecision(3)} % of ${numbers}`;
  const isSecure = aggregation.kind !== 'none';
  const isBuffered = bufferOf(plan) !== undefined;
  const helpers = helpersOf(plan);
  return {
    facts: factsOf(plan, 'this site'),
    leaves: [
      isSecure
        ? `${isBuffered ? 'When it is ready' : 'In each round'} ${sent} masked numbers, which look random by themselves. Only their sum over at least ${sites.threshold} sites can be read.`
        : `In each round what training changed in ${numbers} numbers, readable by the coordinator.`,
      ...(privacy.mode === 'none'
        ? ['Inside it, the number of rows of this site.']
        : [
            ...chosenWords(plan),
            `Noise is in that sum${helpers.length === 0 ? '' : ', of every helper'}: all rounds together reveal little about ${hides(plan, 'this site')} (${budgetOf(plan)}).`,
          ]),
      ...(isBuffered ? ['How many rounds ago it was sent the model from which it trained.'] : []),
      'The public key of this site, its signatures, and the times at which it answers.',
    ],
    stays: [
      'The file, with every row and every column.',
      'The values, categories and averages of its columns.',
      'The loss and the accuracy on the rows of this site.',
      ...(strategy.name === 'scaffold'
        ? ['What it estimates of its own gradient, which it keeps from round to round.']
        : []),
    ],
    warnings: [
      ...(helpers.length === 0
        ? []
        : [
            'If all helpers work together with the coordinator, they can read the update of this site: know at least one of them, and compare its key.',
          ]),
      ...(privacy.mode !== 'none' && helpers.length === 0 && collusion.sites === 0
        ? [
            `Each other site can subtract its own share of the noise, and may learn more of this site's rows than ε = ${privacy.epsilon} allows.`,
          ]
        : []),
      ...(privacy.mode === 'none' && sites.threshold === 2
        ? ['A sum may hold two sites. Each can then compute the update of the other.']
        : []),
      ...(isSecure && privacy.mode === 'none' && !isCohortFixed(plan)
        ? [
            'Without noise, two sums of nearly the same sites differ by the update of one: a coordinator that repeats a round without this site can read it.',
          ]
        : []),
      ...(isBuffered && privacy.mode === 'none'
        ? [
            'Without noise, a coordinator can have the other sites of a sum train from a made-up model of another round, in which they learn nothing: the sum is the update of this site.',
          ]
        : []),
      ...(isSecure ? [] : ['The coordinator sees the update of this site alone.']),
      ...(privacy.mode === 'none'
        ? ['There is no differential privacy: the model may remember single rows.']
        : []),
      ...(data.scaling === 'site' ? ['Numbers are scaled by the mean of this site’s rows.'] : []),
    ],
  };
}
