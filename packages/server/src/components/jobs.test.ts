import { openJobs } from '@skein/jobs';
import { expect, it } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { startNode } from '../node.ts';

it('are in a folder that no program opens while the node runs, and the other way round', async () => {
  const folder = testFolder();
  const node = await startNode({ dataFolder: folder, queues: [] });
  await expect(openJobs({ folder, queues: [] })).rejects.toMatchObject({
    code: 'DATA_FOLDER_LOCKED',
    message: `The folder ${folder} is in use by the node with pid ${process.pid}, which answers at ${node.url}.`,
  });
  await node.drain();

  const jobs = await openJobs({ folder, queues: [] });
  await expect(startNode({ dataFolder: folder, queues: [] })).rejects.toMatchObject({
    code: 'DATA_FOLDER_LOCKED',
    message: expect.stringContaining('by this program or another one'),
  });
  await jobs.close();
  await (await startNode({ dataFolder: folder, queues: [] })).drain();
});
