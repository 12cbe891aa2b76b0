import { expect, it } from 'vitest';
import { withoutSecrets } from './data-versions.ts';

it('keeps no secret of an address in a lineage', () => {
  const shown = ['https://ada:pw@host/a.csv?sig=secret', 'b=s3://bucket/*.csv?x=1', 'why?.csv'];
  expect(shown.map(withoutSecrets)).toEqual([
    'https://host/a.csv',
    'b=s3://bucket/*.csv',
    'why?.csv',
  ]);
});
