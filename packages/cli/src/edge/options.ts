/** Options that the commands of bundles share. */
import { text, withDefault } from '../command-line/option.ts';

export const keysOption = withDefault(
  text('FOLDER', 'The folder with the keys of the publisher.', { completes: 'file' }),
  'edge-keys',
);

export const outOption = withDefault(
  text('PLACE', 'Place that devices read: a folder, or a bucket as s3://… or gs://….', {
    completes: 'file',
  }),
  'published',
);
