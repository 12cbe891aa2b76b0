/** A task over shards: the first attempt over a shard that names a folder which does not exist makes it, and never ends. */
import { mkdir, readFile } from 'node:fs/promises';
import { Piece } from '@skein/data/data-set';
import { z } from 'zod';
import { defineTask } from '../../tasks/define-task.ts';

export const stalls = defineTask({
  name: 'stalls',
  input: z.object({ digest: z.string(), format: z.string() }),
  output: Piece,
  async run({ digest }, { artifacts, signal }) {
    const content = await readFile(await artifacts.pathOf(digest));
    const [, folder = ''] = /^folder\n(\/.*)\n$/.exec(content.toString()) ?? [];
    const isFirst =
      folder !== '' &&
      (await mkdir(folder)
        .then(() => true)
        .catch(() => false));
    if (isFirst) {
      await new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason));
        setInterval(() => undefined, 1000);
      });
    }
    return artifacts.put(content);
  },
});
