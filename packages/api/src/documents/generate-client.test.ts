import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { generateClient, type ClientSource } from './generate-client.ts';

const root = join(import.meta.dirname, '../../../..');
// Next to the sources, so that `@skein/api` resolves as it does for a user.
const folder = mkdtempSync(join(import.meta.dirname, '../../.generated-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const VIEWS: ClientSource[] = [
  {
    name: 'risk',
    kind: 'onnx',
    signature: {
      inputs: [{ name: 'x', type: 'float32', shape: ['batch', 4] }],
      outputs: [
        { name: 'label', type: 'int64', shape: ['batch'] },
        { name: 'p', type: 'float32', shape: ['batch', 2] },
      ],
    },
    targets: [
      { version: '1', weight: 10 },
      { version: '2', weight: 90 },
    ],
  },
  {
    name: 'a-b',
    kind: 'composition',
    signature: {
      inputs: [
        { name: 'image', type: 'string', shape: [1] },
        { name: 'odd name */ "quoted"', type: 'float16', shape: [null, 'n */ m'] },
        { name: 'mask', type: 'bool', shape: [] },
      ],
      outputs: [{ name: 'text', type: 'string', shape: ['lines'] }],
    },
    targets: [],
  },
  { name: 'a.b', kind: 'onnx', signature: { inputs: [], outputs: [] }, targets: [] },
  { name: '3d', kind: 'onnx', signature: { inputs: [], outputs: [] }, targets: [] },
  { name: 'client', kind: 'onnx', signature: { inputs: [], outputs: [] }, targets: [] },
];

/** The errors of `tsc` for files that a user would write, each next to the generated one. */
function compile(files: Record<string, string>): string {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({
      extends: join(root, 'tsconfig.json'),
      include: Object.keys(files).map((name) => `./${name}`),
      exclude: [],
    }),
  );
  try {
    execFileSync(
      process.execPath,
      [join(root, 'node_modules/typescript/bin/tsc'), '-p', join(folder, 'tsconfig.json')],
      { encoding: 'utf8', stdio: 'pipe' },
    );
    return '';
  } catch (error) {
    return (error as { stdout: string }).stdout;
  }
}

describe('a generated client', () => {
  it('type-checks, and so does code that uses it correctly', () => {
    const problems = compile({
      'skein.ts': generateClient(VIEWS),
      'right.ts': `import { connect } from './skein.ts';
const { risk, aB, aB2, model3d, client2, client } = connect({ url: 'http://127.0.0.1:4700' });
const { outputs } = await risk({ x: { shape: [1, 4], data: new Float32Array(4) } });
const label: bigint | undefined = outputs.label.data[0];
const p: Float32Array = outputs.p.data;
const read = await aB({
  image: { shape: [1], data: ['bytes'] },
  'odd name */ "quoted"': { type: 'float16', shape: [1, 1], data: new Uint16Array(1) },
  mask: { type: 'bool', shape: [], data: new Uint8Array(1) },
});
const text: readonly Uint8Array[] = read.outputs.text.data;
const { deployments } = await client.listDeployments();
export const all = [label, p, text, aB2, model3d, client2, deployments[0]?.name];
`,
    });
    expect(problems).toBe('');
  }, 60_000);

  it('makes a wrong name, array type or output a compile error', () => {
    const problems = compile({
      'skein.ts': generateClient(VIEWS),
      'wrong.ts': `import { connect } from './skein.ts';
const { risk, aB } = connect({ url: 'http://127.0.0.1:4700' });
await risk({ y: { shape: [1, 4], data: new Float32Array(4) } });
await risk({ x: { shape: [1, 4], data: new Float64Array(4) } });
(await risk({ x: { shape: [1, 4], data: new Float32Array(4) } })).outputs.q;
await aB({ image: { shape: [1], data: ['x'] }, mask: { shape: [], data: new Uint8Array(1) }, 'odd name */ "quoted"': { type: 'float16', shape: [1, 1], data: new Uint16Array(1) } });
`,
    });
    const lines = [...problems.matchAll(/wrong\.ts\((\d+),/g)].map(([, line]) => Number(line));
    expect(lines).toEqual([3, 4, 5, 6]);
  }, 60_000);

  it('calls the deployment that it is named after', async () => {
    const paths: string[] = [];
    const server = createServer((request, response) => {
      paths.push(request.url ?? '');
      request.resume();
      response.setHeader('content-type', 'application/json');
      response.end(
        JSON.stringify({
          model_name: 'risk',
          model_version: '2',
          outputs: [{ name: 'label', datatype: 'INT64', shape: [1], data: [7] }],
        }),
      );
    });
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    try {
      const file = join(folder, 'running.ts');
      writeFileSync(file, generateClient(VIEWS));
      const generated = (await import(file)) as {
        connect: (options: {
          url: string;
        }) => Record<
          string,
          (inputs: unknown) => Promise<{ version: string; outputs: Record<string, unknown> }>
        >;
      };
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const answer = await generated.connect({ url })['risk']?.({
        x: { shape: [1, 4], data: new Float32Array(4) },
      });
      expect(paths).toEqual(['/v2/models/risk/infer']);
      expect(answer?.version).toBe('2');
      expect(answer?.outputs).toEqual({
        label: { type: 'int64', shape: [1], data: BigInt64Array.of(7n) },
      });
    } finally {
      server.close();
    }
  });

  it('is the same text whatever the order of the deployments', () => {
    expect(generateClient(VIEWS.toReversed())).toBe(generateClient(VIEWS));
  });
});
