/** `skein data ls`: the versions of data sets. */
import { optionalArgument } from '../../command-line/option.ts';
import { jobsCommand } from '../../jobs/embedded.ts';
import { renderVersions } from '../../output/data-version.ts';

export const dataLs = jobsCommand({
  name: 'data ls',
  summary: 'List the versions of data sets, newest first.',
  examples: {
    'skein data ls': 'All data sets of the tenant',
    'skein data ls heart': 'The versions of one',
  },
  arguments: { name: optionalArgument('NAME', 'The data set; default: all.') },
  options: {},
  run: ({ client }, { name }) => client.listData(name === undefined ? {} : { name }),
  render: ({ versions }, style) =>
    versions.length === 0
      ? `There are no data sets. Try ${style.cyan(style.commands('skein data add NAME FILE'))}.`
      : renderVersions(versions, style, Date.now()),
});
