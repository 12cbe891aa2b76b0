/** The commands of bundles, as a publisher and a reader use them: on a folder, in a bucket, over HTTP. */
import { createServer } from 'node:http';
import { once } from 'node:events';
import { existsSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Packed } from '@skein/edge/publish';
import { mlp, writeModel } from '@skein/onnx';
import { beforeAll, describe, expect, it } from 'vitest';
import { requireComponent } from '../../../../../scripts/testing/components.ts';
import { testFolder } from '../../../../../scripts/testing/folder.ts';
import {
  MOTO_CREDENTIALS,
  startMotoServer,
} from '../../../../state/src/artifacts/testing/moto-server.ts';
import { runCli } from '../../testing/cli.ts';

const cwd = testFolder();
const path = (name: string): string => join(cwd, name);
const run = async (args: readonly string[], env: Record<string, string> = {}) => {
  const { code, stdout, stderr } = await runCli([...args, '--json'], { cwd, env });
  return { code, stderr, answer: stdout === '' ? undefined : (JSON.parse(stdout) as unknown) };
};
const edge = (...args: string[]) => run(['edge', ...args]);

beforeAll(async () => {
  writeFileSync(path('risk.onnx'), writeModel(mlp({ sizes: [4, 8, 3], seed: 1 })));
  writeFileSync(path('other.onnx'), writeModel(mlp({ sizes: [4, 8, 3], seed: 2 })));
  writeFileSync(path('slow.onnx'), writeModel(mlp({ sizes: [4, 100_000, 3], seed: 1 })));
  await edge('keys');
}, 60_000);

describe('keys', () => {
  it('are for their owner alone, and are not made twice', async () => {
    for (const role of ['root', 'targets', 'snapshot', 'timestamp']) {
      expect(statSync(path(`edge-keys/${role}.pem`)).mode & 0o077).toBe(0);
    }
    expect(readFileSync(path('edge-keys/root.json'))).toEqual(
      readFileSync(path('published/1.root.json')),
    );
    const before = readFileSync(path('edge-keys/root.pem'));
    expect(await edge('keys')).toMatchObject({ code: 1, answer: { code: 'EDGE_KEYS' } });
    expect(readFileSync(path('edge-keys/root.pem'))).toEqual(before);
    // Another publisher for the same place.
    expect(await edge('keys', '--keys', 'others')).toMatchObject({
      code: 1,
      answer: { code: 'EDGE_KEYS' },
    });
    expect(existsSync(path('others'))).toBe(false);
  });

  it('but the one of root sign bundles and new dates', async () => {
    renameSync(path('edge-keys/root.pem'), path('offline.pem'));
    try {
      expect(await edge('pack', 'risk.onnx', '--name', 'offline')).toMatchObject({ code: 0 });
      expect(await edge('renew')).toMatchObject({
        code: 0,
        answer: { bundles: expect.arrayContaining(['offline']) },
      });
    } finally {
      renameSync(path('offline.pem'), path('edge-keys/root.pem'));
    }
  });
});

describe('a bundle', () => {
  it('has variants of 8 bits, calibrated on rows of a file or on the golden inputs', async () => {
    writeFileSync(path('wide.onnx'), writeModel(mlp({ sizes: [64, 1024, 1024, 3], seed: 1 })));
    const rows = Array.from({ length: 24 }, (_, at) => ({
      x: Array.from({ length: 64 }, (_each, i) => Math.sin(at * 64 + i)),
    }));
    writeFileSync(path('wide.json'), JSON.stringify(rows));
    const golden = rows.slice(0, 4).flatMap((row) => ['--golden', JSON.stringify(row)]);
    for (const given of [['--data', 'wide.json'], golden]) {
      const { code, answer } = await edge('pack', 'wide.onnx', '--int8', ...given);
      expect(code).toBe(0);
      const { manifest, wireBytes } = answer as Packed;
      const names = manifest.variants.map(({ name }) => name);
      expect(names[0]).toBe('fp32');
      expect(names.length).toBeGreaterThan(1);
      for (const name of names.slice(1)) {
        expect(name).toMatch(/^int8/);
        expect(wireBytes[name]).toBeLessThan(0.4 * wireBytes['fp32']!);
      }
    }
    expect(await edge('pack', 'wide.onnx', '--data', 'wide.json')).toMatchObject({
      code: 2,
      answer: { code: 'USAGE' },
    });
  }, 120_000);

  it('is packed, counted up, and verified as a device reads it', async () => {
    const first = await edge(
      'pack',
      'risk.onnx',
      '--licence',
      'MIT',
      '--deadline',
      '500ms',
      '--never-offload',
    );
    expect(first).toMatchObject({
      code: 0,
      answer: {
        manifest: {
          name: 'risk',
          version: 1,
          licence: 'MIT',
          offload: { allowed: false, deadlineMs: 500 },
          provenance: { tool: expect.stringMatching(/^skein \d/), source: { name: 'risk.onnx' } },
        },
      },
    });
    expect(await edge('pack', 'other.onnx', '--name', 'risk')).toMatchObject({
      answer: { manifest: { version: 2 } },
    });
    const verified = await edge('verify', 'risk', 'published');
    expect(verified).toMatchObject({
      code: 0,
      answer: {
        manifest: { version: 2 },
        backends: [{ backend: 'native', variant: 'fp32' }, { backend: 'wasm' }],
      },
    });
  }, 60_000);

  it('has golden vectors of given inputs, how they come about, and no slower variant', async () => {
    writeFileSync(path('rows.json'), '{"x": [[1, 2, 3, 4], [0, 0, 0, 1]]}');
    const args = [
      'pack',
      'risk.onnx',
      '--name',
      'given',
      '--golden',
      '@rows.json',
      '--variant',
      'large=slow.onnx',
    ];
    const packed = await edge(...args, '--preprocessing', '{"x": {"scale": 255}}');
    expect(packed).toMatchObject({
      code: 0,
      answer: {
        leftOut: ['large: it is slower than fp32 on every backend'],
        manifest: {
          inputs: [{ name: 'x', preprocessing: { scale: 255 } }],
          variants: [{ name: 'fp32' }],
        },
      },
    });
  }, 60_000);

  it.each([
    [['pack', 'risk.onnx', '--golden', '{"z": [1]}'], 'INPUT_UNKNOWN'],
    [['pack', 'risk.onnx', '--preprocessing', '{"z": {}}'], 'EDGE_BUNDLE_INVALID'],
    [['pack', 'risk.onnx', '--preprocessing', '[1]'], 'USAGE'],
    [['pack', 'risk.onnx', '--variant', 'int8'], 'USAGE'],
    [['pack', 'risk.onnx', '--name', '../risk'], 'EDGE_BUNDLE_INVALID'],
    [['pack', 'risk.onnx', '--keys', 'nowhere'], 'EDGE_KEYS'],
    [['pack', 'risk.onnx', '--out', 'http://127.0.0.1/'], 'USAGE'],
    [['verify', 'fraud', 'published'], 'EDGE_BUNDLE_UNKNOWN'],
    [['verify', 'risk', 'nowhere'], 'EDGE_UNTRUSTED'],
  ])(
    '%j is refused with %s',
    async (args, code) => {
      const outcome = await edge(...args);
      expect(outcome.answer).toMatchObject({ code });
      expect(outcome.code).toBeGreaterThan(0);
    },
    60_000,
  );
});

describe('a reader', () => {
  it('over HTTP accepts it, and refuses a changed chunk and a root of another publisher', async () => {
    expect(await edge('pack', 'risk.onnx', '--name', 'served')).toMatchObject({ code: 0 });
    let isChanged = false;
    const server = createServer((request, response) => {
      const file = path(`published${request.url}`);
      if (!existsSync(file)) return void response.writeHead(404).end();
      const content = readFileSync(file);
      if (isChanged && request.url!.startsWith('/chunks/')) content[9]! ^= 1;
      response.end(content);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      expect(await edge('verify', 'served', url)).toMatchObject({ code: 0 });
      isChanged = true;
      expect(await edge('verify', 'served', url)).toMatchObject({
        code: 1,
        answer: { code: 'EDGE_UNTRUSTED' },
      });
      isChanged = false;
      expect(await edge('keys', '--keys', 'stranger', '--out', 'strange')).toMatchObject({
        code: 0,
      });
      const stranger = await edge('verify', 'served', url, '--root', 'stranger/root.json');
      expect(stranger).toMatchObject({ code: 1, answer: { code: 'EDGE_UNTRUSTED' } });
    } finally {
      server.close();
    }
  }, 60_000);

  it('with the first root follows a rotation, and refuses the old key', async () => {
    const args = ['--keys', 'rotating', '--out', 'turned'];
    expect(await edge('keys', ...args)).toMatchObject({ code: 0 });
    writeFileSync(path('first.json'), readFileSync(path('rotating/root.json')));
    const stolen = readFileSync(path('rotating/targets.pem'));
    expect(await edge('pack', 'risk.onnx', ...args)).toMatchObject({ code: 0 });
    for (const [role, version] of [
      ['targets', 2],
      ['root', 3],
    ] as const) {
      expect(await edge('keys', '--rotate', role, ...args)).toMatchObject({
        code: 0,
        answer: { version, rotated: role },
      });
    }
    expect(await edge('verify', 'risk', 'turned', '--root', 'first.json')).toMatchObject({
      code: 0,
    });
    writeFileSync(path('rotating/targets.pem'), stolen);
    expect(await edge('pack', 'risk.onnx', ...args)).toMatchObject({
      code: 1,
      answer: { code: 'EDGE_UNTRUSTED' },
    });
  }, 60_000);
});

const moto = requireComponent('python3-moto');

describe.skipIf(moto.skip)('a bucket', () => {
  it('takes the keys, the bundle and new dates, and is verified', async () => {
    await using server = await startMotoServer();
    const place = await server.bucket('models');
    const [address, query = ''] = place.split('?');
    const out = `${address}/edge${query === '' ? '' : `?${query}`}`;
    const steps = [
      ['keys', '--keys', 'bucket-keys', '--out', out],
      ['pack', 'risk.onnx', '--keys', 'bucket-keys', '--out', out],
      ['renew', '--keys', 'bucket-keys', '--out', out],
      ['verify', 'risk', out, '--root', 'bucket-keys/root.json'],
    ];
    for (const step of steps) {
      expect(await run(['edge', ...step], MOTO_CREDENTIALS), step[0]).toMatchObject({ code: 0 });
    }
  }, 120_000);
});
