/** `skein data profile`: types, distributions and warnings of a table, and what changed. */
import { extname } from 'node:path';
import { defineCommand } from '../../command-line/command.ts';
import { many, text } from '../../command-line/option.ts';
import { usageError } from '../../command-line/usage.ts';
import { writeGivenFile } from '../../file.ts';
import { filesArgument, statementOptions, withStatements } from '../../jobs/ask-tables.ts';
import { withoutSecrets } from '../../jobs/data-versions.ts';
import { changesOfTables, profileTable } from '../../jobs/profile-tables.ts';
import { renderProfile, type ShownProfile } from '../../output/profile.ts';

export const dataProfile = defineCommand({
  name: 'data profile',
  summary: 'Describe a table: types, missing values, distributions, correlations, warnings.',
  details:
    'A table of any size is described by three jobs of one statement each, within the memory of a worker. Figures of large tables that are not exact begin with ~. --against compares with another version: columns, ranges, categories and distributions. A population stability index of 0.1 is a moderate change, 0.25 a large one. --out writes a page that needs no other file, or JSON.',
  examples: {
    'skein data profile heart.csv': 'A table in the terminal',
    'skein data profile heart@2 --against heart@1 --out changes.html':
      'Pictures, and what changed between two versions',
  },
  arguments: { files: filesArgument },
  options: {
    against: many('FILE', 'Files of the earlier version, to compare with.', { completes: 'file' }),
    out: text('FILE', 'Page, .html, or profile, .json, to write.'),
    ...statementOptions,
  },
  async run(context, { files, against, out, ...choice }): Promise<ShownProfile> {
    const extension = out === undefined ? undefined : extname(out);
    if (extension !== undefined && extension !== '.html' && extension !== '.json') {
      throw usageError(`--out ${out}: the name must end with .html or .json.`);
    }
    const found = await withStatements(context, choice, async (statements) => {
      const data = await statements.tableOf(files);
      const profile = await profileTable(statements, data);
      if (against.length === 0) return profile;
      const before = await statements.tableOf(against);
      const earlier = await profileTable(statements, before);
      const changes = await changesOfTables(statements, [profile, data], [earlier, before]);
      return { ...profile, changes };
    });
    if (out === undefined) return found;
    const { profilePage } = await import('@skein/data/profile');
    const changes = 'changes' in found ? found.changes : undefined;
    const content =
      extension === '.html'
        ? profilePage(files.map(withoutSecrets).join(' '), found, changes)
        : `${JSON.stringify(found, undefined, 2)}\n`;
    return { ...found, wrote: await writeGivenFile(context.cwd, out, content) };
  },
  render: renderProfile,
});
