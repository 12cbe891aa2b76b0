/** The two bundles of this example, packed by the `skein` command as a user would. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DETECTOR, RECOGNISER } from '../ocr/models.ts';
import type { ModelName } from './read-text.ts';

const COMMAND = fileURLToPath(new URL('../../packages/cli/bin/skein.js', import.meta.url));
const FILES: Readonly<Record<ModelName, string>> = {
  'ocr-detect': DETECTOR,
  'ocr-recognise': RECOGNISER,
};

export interface Published {
  /** Folder of the signed files. */
  readonly published: string;
  /** The root that devices trust. */
  readonly root: string;
  readonly keys: string;
}

/** Makes the keys and packs both models where the folder has none yet. @throws Error if a command fails. */
export async function publishBundles(folder: string): Promise<Published> {
  const [keys, published] = [join(folder, 'keys'), join(folder, 'published')];
  const root = join(keys, 'root.json');
  if (!existsSync(root)) {
    await skein('edge', 'keys', '--keys', keys, '--out', published);
    for (const [name, file] of Object.entries(FILES)) {
      const licence = ['--licence', 'Apache-2.0', '--deadline', '500ms'];
      const place = ['--keys', keys, '--out', published];
      await skein('edge', 'pack', file, '--name', name, ...licence, ...place);
    }
  }
  return { published, root, keys };
}

/** Runs a command as a user does. @throws Error if it fails. */
export async function skein(...words: string[]): Promise<void> {
  const command = spawn(process.execPath, [COMMAND, ...words], { stdio: 'inherit' });
  const [code] = (await once(command, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`skein ${words.slice(0, 2).join(' ')} has failed.`);
}
