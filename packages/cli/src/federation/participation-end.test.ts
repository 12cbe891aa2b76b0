import { expect, it } from 'vitest';
import { endText, type Participation } from './participation.ts';

const end = (status: string, reason: string): Participation => ({
  plan: { facts: [], leaves: [], stays: [] } as never,
  planDigest: 'a'.repeat(64),
  name: 'Basel',
  unmet: [],
  accepted: true,
  status,
  round: 4,
  reason,
});

it('reports of a participant that leaves that it has left, not the federation', () => {
  expect(endText(end('left', 'left'), 'This helper')).toBe('This helper has left in round 5.');
  expect(endText(end('finished', 'All rounds are done.'), 'This helper')).toBe(
    'The federation has finished after round 4: All rounds are done.',
  );
  expect(endText(end('stopped', ''), 'This helper')).toBe(
    'The federation has stopped after round 4.',
  );
});
