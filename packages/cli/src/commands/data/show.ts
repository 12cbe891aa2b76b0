/** `skein data show`: a version of a data set, where it comes from, and what was made of it. */
import { argument } from '../../command-line/option.ts';
import { findVersion } from '../../jobs/data-versions.ts';
import { jobsCommand } from '../../jobs/embedded.ts';
import { renderVersion } from '../../output/data-version.ts';

export const VERSION_ARGUMENT = 'NAME@VERSION, or NAME for its newest version.';

export const dataShow = jobsCommand({
  name: 'data show',
  summary: 'Show a version of a data set: schema, files, and its lineage in both directions.',
  details:
    'The lineage leads back to the job and the versions that it was made of. It also has the versions, the training runs and the models that were made of it.',
  examples: {
    'skein data show heart': 'The newest version',
    'skein data show heart@1 --json': 'With all files and their digests',
  },
  arguments: { version: argument('NAME[@VERSION]', VERSION_ARGUMENT) },
  options: {},
  run: ({ client }, { version }) => findVersion(client, version),
  render: (version, style) => renderVersion(version, style, Date.now()),
});
