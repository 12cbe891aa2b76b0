/**
 * Serves the page: `node examples/edge-ocr/serve.ts [--port 4800] [--node http://127.0.0.1:4700]`. The first start packs the
 * bundles into .skein/edge-ocr.
 */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { publishBundles } from './bundles.ts';
import { openSite } from './site.ts';

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '4800' },
    node: { type: 'string', default: 'http://127.0.0.1:4700' },
    folder: { type: 'string', default: '.skein/edge-ocr' },
  },
});
const bundles = await publishBundles(resolve(values.folder));
const { url } = await openSite({ ...bundles, port: Number(values.port), node: values.node });
console.log(`The page is at ${url}`);
console.log(`It reads pictures in the browser, or asks the node at ${values.node}.`);
