import type { FederationView } from '@skein/api';
import { expect, it } from 'vitest';
import { renderFederation, renderFederations } from './federation.ts';
import { PLAIN } from './style.ts';

const site = (name: string, more: object) => ({
  key: '',
  pseudonym: `site-${name}`,
  name,
  role: 'site',
  accepted: true,
  waiting: false,
  connected: true,
  answered: false,
  ...more,
});

it('names the site that waits for a place', () => {
  const view = {
    id: 'f-1',
    name: 'risk',
    status: 'running',
    round: 0,
    attempt: 0,
    phase: 'gather',
    plan: {
      rounds: 5,
      sites: { minimum: 1, maximum: 1, threshold: 1 },
      aggregation: { kind: 'pairwise' },
      privacy: { mode: 'none' },
    },
    sites: [
      site('Basel', {}),
      site('Delft', { accepted: false, waiting: true, connected: false }),
      site('Lyon', { accepted: false, connected: false }),
    ],
    spent: [],
  } as unknown as FederationView;
  const shown = renderFederation(view, PLAIN);
  expect(shown).toMatch(/Delft .* waits for a place: all 1 are taken/);
  expect(shown).toMatch(/Lyon .* has not accepted/);
  expect(renderFederations([view], PLAIN)).toContain('1, 1 waiting');
});
