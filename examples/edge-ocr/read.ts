/**
 * Reads a picture on this machine, without a network once it is installed:
 * `node examples/edge-ocr/read.ts PICTURE [--source ADDRESS] [--root root.json] [--node URL] [--private]`.
 * Without --source the bundles are packed here first.
 */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { createEdge, folderPlace, type Edge } from '@skein/edge/node';
import { parseDictionary } from '../ocr/ctc.ts';
import { decode, resize } from '../ocr/image.ts';
import { DICTIONARY } from '../ocr/models.ts';
import { publishBundles } from './bundles.ts';
import { MODELS, readText, type ModelName } from './read-text.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    source: { type: 'string' },
    root: { type: 'string' },
    node: { type: 'string' },
    private: { type: 'boolean', default: false },
    folder: { type: 'string', default: '.skein/edge-ocr' },
  },
});
const [picture] = positionals;
if (picture === undefined) {
  console.error('Name a picture: node examples/edge-ocr/read.ts examples/ocr/images/invoice.png');
  process.exit(2);
}
const folder = resolve(values.folder);
const local = values.source === undefined ? await publishBundles(folder) : undefined;
const root = values.root ?? local?.root;
if (root === undefined) {
  console.error('--source needs --root, the root.json of its publisher.');
  process.exit(2);
}
const edges: Partial<Record<ModelName, Edge>> = {};
for (const model of MODELS) {
  const edge = await createEdge({
    model,
    source: local === undefined ? values.source! : folderPlace(local.published),
    pinnedRoot: new Uint8Array(readFileSync(root)),
    folder: join(folder, 'device', model),
    server: values.node === undefined ? undefined : { url: values.node },
  });
  edges[model] = edge;
  // Offline, what is installed still reads.
  await edge.update().catch((error: Error) => console.error(`${model}: ${error.message}`));
}
try {
  const reader = {
    edges: edges as Record<ModelName, Edge>,
    dictionary: parseDictionary(readFileSync(DICTIONARY, 'utf8')),
    resize,
  };
  const raster = await decode(readFileSync(picture));
  const read = await readText(raster, reader, { private: values.private });
  for (const { text } of read.lines) console.log(text);
  for (const { model, version, where, why, calls, tookMs } of read.answers) {
    console.error(
      `${model} version ${version}: ${where}, ${calls} calls, ${Math.round(tookMs)} ms (${why})`,
    );
  }
} finally {
  for (const edge of Object.values(edges)) await edge.close();
}
