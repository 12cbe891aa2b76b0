/** `skein version`: what runs here. */
import { readFile } from 'node:fs/promises';
import { defineCommand } from '../command-line/command.ts';

export interface Versions {
  readonly skein: string;
  readonly node: string;
  readonly platform: string;
}

export const version = defineCommand({
  name: 'version',
  summary: 'Print the versions of Skein and Node.',
  examples: { 'skein version': 'What runs here' },
  arguments: {},
  options: {},
  async run(): Promise<Versions> {
    const manifest = await readFile(new URL('../../package.json', import.meta.url), 'utf8');
    const { version: skein } = JSON.parse(manifest) as { version: string };
    return {
      skein,
      node: process.versions.node,
      platform: `${process.platform}-${process.arch}`,
    };
  },
  render: ({ skein, node, platform }) => `skein ${skein} (Node ${node}, ${platform})`,
});
