/** `skein data rm`: removes versions of data sets. */
import { manyArguments } from '../../command-line/option.ts';
import { requireVersion } from '../../jobs/data-versions.ts';
import { jobsCommand } from '../../jobs/embedded.ts';

export const dataRm = jobsCommand({
  name: 'data rm',
  summary: 'Remove versions of data sets; their numbers are not given again.',
  details:
    'A node removes the files a day later, unless jobs or other versions name them. In a bucket or shared folder they stay, and so do files that are read where they lie.',
  examples: { 'skein data rm heart@1 heart@2': 'These two' },
  arguments: {
    versions: manyArguments('NAME@VERSION', 'The versions.', {
      required: true,
      completes: 'nothing',
    }),
  },
  options: {},
  async run({ client }, { versions }) {
    const wanted = versions.map(requireVersion);
    for (const each of wanted) await client.removeDataVersion(each);
    return { removed: versions };
  },
  render: ({ removed }) => `${removed.join(', ')} ${removed.length === 1 ? 'is' : 'are'} removed.`,
});
