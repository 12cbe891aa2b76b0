/** Versions of data sets for the pages: heart@1 from a file, adults@1 made of it. */
import { createClient, type DataVersion } from '@skein/api';
import { HOSTILE } from './subjects.ts';

export async function addHeart(url: string): Promise<readonly [DataVersion, DataVersion]> {
  const client = createClient({ url });
  const stored = async (text: string) =>
    client.uploadArtifact({ content: new TextEncoder().encode(text) });
  const columns = [
    { name: 'age', type: 'BIGINT' },
    { name: HOSTILE, type: 'VARCHAR' },
  ];
  const add = async (name: string, text: string, more: { note?: string; from?: object }) =>
    client.addDataVersion({
      name,
      contents: { format: 'csv', columns, rows: 303, files: [await stored(text)] },
      ...more,
    });
  const heart = await add('heart', 'age\n1\n', { note: HOSTILE, from: { files: [HOSTILE] } });
  const { name, version, manifest } = heart;
  const statement = 'FROM data WHERE age > 40';
  const from = { versions: [{ name, version, manifest }], job: 'first', statement };
  return [heart, await add('adults', 'age\n50\n', { from })];
}
