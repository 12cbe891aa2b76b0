/** Federations for a terminal. */
import type { FederationView } from '@skein/api';
import type { PlanWords } from '@skein/federation/site';
import type { Style } from './style.ts';
import { type Field, renderFields, renderTable, wrap } from './table.ts';

/** The plan in words: what it is, what leaves, what stays. */
export function planLines({ facts, leaves, stays, warnings }: PlanWords, style: Style): string[] {
  const list = (title: string, sentences: readonly string[]): string[] => [
    '',
    style.bold(title),
    ...sentences.map((each) => `  ${wrap(`– ${each}`, style.width - 4, '    ')}`),
  ];
  return [
    renderFields(style, facts),
    ...list('What leaves this machine', leaves),
    ...list('What stays here', stays),
    ...(warnings.length === 0 ? [] : list('Consider', warnings)),
  ];
}

export function renderFederations(views: readonly FederationView[], style: Style): string {
  if (views.length === 0)
    return style.commands('There are no federations. `skein help federate start` shows how.');
  return renderTable(style, views, [
    ['FEDERATION', ({ id }) => id],
    ['STATUS', ({ status }) => status],
    ['ROUND', ({ round, plan }) => `${round} of ${plan.rounds}`, 'right'],
    ['SITES', sitesText, 'right'],
    ['ε', spentText, 'right'],
    ['MODEL', ({ name, version }) => (version === undefined ? name : `${name} v${version}`)],
  ]);
}

/** Sites that are connected, and sites that wait for a place. */
function sitesText({ sites }: FederationView): string {
  const connected = sites.filter((site) => site.connected && site.role === 'site').length;
  const waiting = sites.filter((site) => site.waiting).length;
  return waiting === 0 ? String(connected) : `${connected}, ${waiting} waiting`;
}

/** ε and the budget, which is kept against as many colluding participants as the plan allows for. */
export function spentText({ spent, plan: { privacy } }: FederationView): string {
  const counted = spent.at(-1);
  if (counted === undefined) return privacy.mode === 'none' ? 'none' : `0 of ${privacy.epsilon}`;
  return `${counted.epsilon?.toFixed(3) ?? '∞'} of ${privacy.epsilon}`;
}

function colludingText(count: number, helpers: number | undefined): string {
  const verb = count === 1 ? 'colludes' : 'collude';
  if (helpers !== undefined) return `${count} of ${helpers} helpers ${verb}`;
  return `${count} ${count === 1 ? 'site' : 'sites'} ${verb}`;
}

export function renderFederation(view: FederationView, style: Style): string {
  const { id, status, reason, round, attempt, phase, plan, sites, version, name, spent } = view;
  const fields: Field[] = [
    ['federation', id],
    ['status', reason === undefined || reason === '' ? status : `${status}: ${reason}`],
    ['round', `${round} of ${plan.rounds}${attempt > 0 ? `, attempt ${attempt + 1}` : ''}`],
    ['phase', status === 'running' ? phase : undefined],
    ['protected by', `aggregation ${plan.aggregation.kind}, privacy ${plan.privacy.mode}`],
    [
      'spent',
      `${spentText(view)}${plan.privacy.mode === 'none' ? '' : ` at δ = ${plan.privacy.delta}`}`,
    ],
    ...(spent.length < 2 ? [] : spent).map(({ colluding, epsilon }): Field => [
      colluding === 0
        ? '  if none colludes'
        : `  if ${colludingText(colluding, plan.aggregation.helpers?.length)}`,
      `ε = ${epsilon?.toFixed(3) ?? '∞'}`,
    ]),
    ['result', version && `${name} v${version}`],
    [
      'counts',
      round > 0 && plan.strategy.name === 'statistics'
        ? style.commands(`skein federate statistics ${id}`)
        : undefined,
    ],
    ['serve it', version && style.commands(`skein rollout ${name} --version ${version}`)],
  ];
  if (sites.length === 0) return renderFields(style, fields);
  const table = renderTable(style, sites, [
    ['SITE', (site) => (site.role === 'helper' ? `${site.name} (helper)` : site.name)],
    ['IN THE LEDGER', (site) => site.pseudonym],
    [
      'STATE',
      (site) => {
        if (site.revokedAt !== undefined) return 'revoked';
        if (site.waiting) return `waits for a place: all ${plan.sites.maximum} are taken`;
        if (!site.accepted) return 'has not accepted';
        if (!site.connected) return 'away';
        return site.answered ? 'answered' : 'connected';
      },
    ],
  ]);
  return `${renderFields(style, fields)}\n\n${table}`;
}
