/** Federations over images, arrays of NumPy and Parquet, from a network of an ONNX file. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { conv, dense, flatten, mlp, seededRandom, sequential, writeModel } from '@skein/onnx';
import sharp from 'sharp';
import { expect, it } from 'vitest';
import { writeRows } from '../../../../data/src/testing/parquet.ts';
import { npy, npz } from '../../../../train/src/testing/npy.ts';
import { runCli, type CliOutcome } from '../../testing/cli.ts';
import {
  type FederationScene,
  openFederationScene,
  TERMS,
} from '../../testing/federation-scene.ts';

const IMAGES = {
  data: {
    features: [{ name: 'pixels', kind: 'array', type: 'uint8', shape: [1, 6, 6] }],
    target: { name: 'light', kind: 'category', classes: ['left', 'right'] },
  },
  strategy: { name: 'fedsgd', learningRate: 4 },
  rounds: 6,
  privacy: { mode: 'patient', epsilon: 200, delta: 1e-3, denominator: 100 },
  sites: { minimum: 3, maximum: 3 },
};
const NAMES = ['Basel', 'Lyon', 'Delft'];

/** A picture that is bright on one side. */
const picture = (side: number, random: { next(): number }): Uint8Array =>
  Uint8Array.from(
    { length: 36 },
    (_, at) => (at % 6 < 3 === (side === 0) ? 150 : 0) + 100 * random.next(),
  );

const pictures = (seed: number) => {
  const random = seededRandom(seed);
  return Array.from({ length: 30 }, (_, i) => ({ side: i % 2, bytes: picture(i % 2, random) }));
};
const png = (bytes: Uint8Array) =>
  sharp(bytes, { raw: { width: 6, height: 6, channels: 1 } }).png();

/** Basel has a folder for each class, Lyon a manifest, Delft arrays. */
async function writeImages(folder: string): Promise<string[]> {
  for (const side of ['left', 'right'])
    await mkdir(join(folder, 'images', side), { recursive: true });
  for (const [i, { side, bytes }] of pictures(1).entries()) {
    await png(bytes).toFile(join(folder, 'images', ['left', 'right'][side]!, `${i}.png`));
  }
  await mkdir(join(folder, 'scans'));
  const lines = ['file,light'];
  for (const [i, { side, bytes }] of pictures(2).entries()) {
    await png(bytes).toFile(join(folder, 'scans', `${i}.png`));
    lines.push(`${i}.png,${['left', 'right'][side]!}`);
  }
  await writeFile(join(folder, 'scans', 'manifest.csv'), lines.join('\n'));
  const rows = pictures(3);
  const header = npy([rows.length, 1, 6, 6], []).toString('latin1').replace("'<f4'", "'|u1'");
  const pixels = Buffer.concat([Buffer.from(header, 'latin1'), ...rows.map(({ bytes }) => bytes)]);
  const light = npy(
    [rows.length],
    BigInt64Array.from(rows, ({ side }) => BigInt(side)),
  );
  await writeFile(join(folder, 'arrays.npz'), npz({ pixels, light }));
  return ['images', 'scans', 'arrays.npz'];
}

const skein =
  ({ folder, node }: FederationScene) =>
  (...words: string[]): Promise<CliOutcome> =>
    runCli([...words, '--server', node.url], { cwd: folder });

/** Starts a federation, and lets each site join with its rows. */
async function federated(
  scene: FederationScene,
  start: readonly string[],
  files: readonly string[],
) {
  const invited = NAMES.flatMap((name) => ['--site', name]);
  const started = await skein(scene)('federate', 'start', ...start, ...invited);
  expect(started.stderr).toBe('');
  const links = [...started.stdout.matchAll(/http\S+#skein-join_\S+/g)].map(([link]) => link);
  const ended = await Promise.all(
    NAMES.map(
      (name, i) => scene.start(name, 'join', links[i]!, '--data', files[i]!, '--accept').ended,
    ),
  );
  for (const { code, stdout, stderr } of ended) expect(code, stderr + stdout).toBe(0);
  return ended.map(
    ({ stdout }) =>
      JSON.parse(stdout) as { readonly quality?: { readonly metrics: Record<string, number> } },
  );
}

it('trains over folders of images, a manifest and NumPy, and counts the result by site', async () => {
  await using scene = await openFederationScene([], IMAGES);
  const { folder } = scene;
  const files = await writeImages(folder);
  // The labels of the arrays are numbers, and the classes of this plan are texts.
  const model = sequential({
    input: { shape: [1, 6, 6] },
    layers: [conv({ filters: 2, kernel: 3, activation: 'tanh' }), flatten(), dense({ units: 1 })],
    seed: 4,
  });
  await writeFile(join(folder, 'net.onnx'), writeModel(model));
  const wrong = {
    ...IMAGES,
    data: { ...IMAGES.data, target: { name: 'light', kind: 'category', classes: ['0', '1'] } },
  };
  await writeFile(join(folder, 'numbers.json'), JSON.stringify(wrong));
  const start = ['plan.json', '--name', 'sides', '--model', 'net.onnx'];
  const refused = await skein(scene)('federate', 'start', ...start, '--site', 'Delft');
  const [link] = /http\S+#skein-join_\S+/.exec(refused.stdout)!;
  const unfit = await scene.start('Delft-first', 'join', link, '--data', 'arrays.npz').ended;
  expect([unfit.code, unfit.stdout]).toEqual([
    1,
    expect.stringMatching(
      /Row 0 has the class '0', which is none of left, right.*SITE_DATA_UNFIT/s,
    ),
  ]);
  await skein(scene)('federate', 'stop', 'last');

  await mkdir(join(folder, 'named'));
  const rows = pictures(3);
  for (const side of ['left', 'right']) await mkdir(join(folder, 'named', side));
  for (const [i, { side, bytes }] of rows.entries()) {
    await png(bytes).toFile(join(folder, 'named', ['left', 'right'][side]!, `${i}.png`));
  }
  const quality = await federated(scene, start, [files[0]!, files[1]!, 'named']);
  for (const each of quality) expect(each.quality!.metrics['accuracy']).toBeGreaterThan(0.8);

  const counts = {
    ...IMAGES,
    strategy: {
      name: 'statistics',
      tables: [[{ kind: 'score' }, { kind: 'label' }]],
      bySite: true,
    },
    rounds: 1,
    privacy: { mode: 'patient', epsilon: 20, delta: 1e-3 },
  };
  await writeFile(join(folder, 'counts.json'), JSON.stringify(counts));
  const { federations } = await scene.client.listFederations();
  const { version } = federations[0]!;
  await federated(
    scene,
    ['counts.json', '--name', 'sides', '--version', version!],
    [files[0]!, files[1]!, 'named'],
  );
  const { stdout } = await skein(scene)('federate', 'statistics', 'last', '--json');
  const found = JSON.parse(stdout) as {
    report: { scored: { name: string; ranking?: { auc: number } }[] }[];
  };
  expect(found.report[0]!.scored).toHaveLength(4);
  expect(found.report[0]!.scored[0]!.ranking!.auc).toBeGreaterThan(0.8);

  // Arrays, where labels are numbers.
  await federated(
    scene,
    ['numbers.json', '--name', 'numbers', '--model', 'cnn:2'],
    ['arrays.npz', 'arrays.npz', 'arrays.npz'].map((file) => file),
  );
});

it('trains over Parquet', async () => {
  const plan = {
    ...TERMS,
    strategy: { name: 'fedsgd' },
    local: undefined,
    rounds: 2,
    privacy: { mode: 'patient', epsilon: 50, delta: 1e-3, denominator: 100 },
    sites: { minimum: 3, maximum: 3 },
  };
  await using scene = await openFederationScene(NAMES, plan);
  for (const name of NAMES) {
    const file = join(scene.folder, name);
    await writeRows(`${file}.parquet`, `FROM read_csv('${file}.csv')`);
  }
  await writeFile(join(scene.folder, 'mlp.onnx'), writeModel(mlp({ sizes: [3, 4, 1], seed: 1 })));
  const files = NAMES.map((name) => `${name}.parquet`);
  const quality = await federated(
    scene,
    ['plan.json', '--name', 'heart', '--model', 'mlp.onnx'],
    files,
  );
  expect(quality[0]!.quality!.metrics['accuracy']).toBeGreaterThan(0.3);
});
