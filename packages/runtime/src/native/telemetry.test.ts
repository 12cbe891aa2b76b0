/** ONNX Runtime reports to its maker unless that is turned off; its first trace is an id in the home folder. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';

const RUN = `
import { GraphBuilder, tensor, writeModel } from ${url('../../../onnx/src/index.ts')};
import { nativeRuntime } from ${url('./native-runtime.ts')};
const graph = new GraphBuilder('same');
const x = graph.input('x', 'float32', [1]);
const [y] = graph.node('Identity', [x], {}, { outputs: ['y'] });
graph.output(y, 'float32', [1]);
const model = { bytes: writeModel(graph.model()) };
const one = () => new Map([['x', tensor('float32', [1], Float32Array.of(1))]]);
const inline = await nativeRuntime.openInline(model, { device: 'cpu', threads: 1 });
inline.run(one());
inline.close();
for (const isolation of ['thread', 'process']) {
  const session = await nativeRuntime.open(model, { device: 'cpu', threads: 1, isolation });
  await session.run(one());
  await session.close();
}
`;

function url(path: string): string {
  return JSON.stringify(pathToFileURL(join(import.meta.dirname, path)).href);
}

test.skipIf(process.platform === 'win32')('a session leaves no trace in the home folder', () => {
  const home = testFolder();
  const traces = (env: Readonly<Record<string, string>>): string[] => {
    execFileSync(process.execPath, ['--input-type=module', '--eval', RUN], {
      env: { PATH: process.env['PATH'], HOME: home, TMPDIR: home, ...env },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    return readdirSync(home);
  };
  expect(traces({})).toEqual([]);
  // An operator's own value counts; and shows that there would be something to see.
  traces({ ORT_DISABLE_TELEMETRY: '0' });
  expect(existsSync(join(home, '.cache', 'Microsoft'))).toBe(process.platform === 'linux');
});
