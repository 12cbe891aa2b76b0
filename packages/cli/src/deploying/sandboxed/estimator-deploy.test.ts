/** `skein deploy` of pickles: estimators of scikit-learn, and hostile code. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { requireComponent } from '../../../../../scripts/testing/components.ts';
import { testFolder } from '../../../../../scripts/testing/folder.ts';
import { startNodeProcess, type NodeProcess } from '../../../../server/src/testing/node-process.ts';
import type { Deployed } from '../deploying.ts';
import { convertedEstimator, isPickle } from './estimator.ts';

const sklearn = requireComponent('python3-sklearn');
const bubblewrap = requireComponent('bubblewrap');
const PYTHON = '/usr/bin/python3';
const TRAIN = `
import joblib, numpy, pandas, pickle
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
frame = pandas.DataFrame({'age': [20.0, 30, 40, 50, 60, None], 'city': ['Oslo', 'Rome', 'Oslo', 'Rome', 'Oslo', 'Oslo']})
y = ['stays', 'leaves', 'stays', 'leaves', 'stays', 'leaves']
columns = make_column_transformer((make_pipeline(SimpleImputer(), StandardScaler()), ['age']), (OneHotEncoder(handle_unknown='ignore'), ['city']))
model = make_pipeline(columns, LogisticRegression()).fit(frame, y)
joblib.dump(model, 'Churn.joblib', compress=('zlib', 3))
pickle.dump(model, open('plain.bin', 'wb'))
frame.assign(label=model.predict(frame)).to_csv('rows.csv', index=False)
frame.assign(label='stays').to_csv('wrong.csv', index=False)
joblib.dump(make_pipeline(StandardScaler(), KNeighborsClassifier(1)).fit(numpy.eye(4), [0, 1, 0, 1]), 'knn.joblib')
joblib.dump({'weights': [1, 2]}, 'other.pkl')
`;

let node: NodeProcess;

describe.skipIf(sklearn.skip || bubblewrap.skip)(
  'skein deploy of an estimator of scikit-learn',
  () => {
    beforeAll(async () => {
      node = await startNodeProcess();
      execFileSync(PYTHON, ['-c', TRAIN], { cwd: node.folder });
    });
    afterAll(() => node.stop());

    it('serves a pipeline over a data frame, an input for each column, with the names of its classes', async () => {
      const { code, stdout } = await node.run('deploy', 'Churn.joblib');
      expect([code, stdout]).toEqual([0, expect.stringContaining('churn v1 is served')]);
      expect(stdout).toMatch(
        /converted +scikit-learn 1\.\S+, ColumnTransformer → LogisticRegression, 2 features, in a sandbox \(bubblewrap\)\n/,
      );
      expect(stdout).toMatch(/inputs +age float32\[batch, 1\], city string\[batch, 1\]\n/);
      expect(stdout).toMatch(/outputs +label string\[batch\], probabilities float32\[batch, 2\]/);
      const answer = await fetch(`${node.url}/v2/models/churn/infer`, {
        method: 'POST',
        body: JSON.stringify({
          parameters: { class_names: true },
          inputs: [
            { name: 'age', datatype: 'FP32', shape: [2, 1], data: [30, 60] },
            { name: 'city', datatype: 'BYTES', shape: [2, 1], data: ['Rome', 'Oslo'] },
          ],
        }),
      });
      const { outputs } = (await answer.json()) as { outputs: { name: string; data: unknown }[] };
      expect(Object.fromEntries(outputs.map(({ name, data }) => [name, data]))).toMatchObject({
        label: ['leaves', 'stays'],
        'probabilities.class': ['leaves', 'stays'],
      });
    });

    it('compares a plain pickle with the predictions of its user', async () => {
      const deployed = await node.json<Deployed>(
        'deploy',
        'plain.bin',
        '--rows',
        'rows.csv',
        '--json',
      );
      expect(deployed.conversion!.compared).toMatchObject({ rows: 6, with: 'file' });
      const { code, stderr } = await node.run('deploy', 'plain.bin', '--rows', 'wrong.csv');
      expect([code, stderr]).toEqual([
        1,
        expect.stringMatching(/predictions in ".*wrong\.csv": 2 labels/),
      ]);
    });

    it('names the step that is not converted, and the other way', async () => {
      const { code, stderr } = await node.run('deploy', 'knn.joblib');
      expect([code, stderr]).toEqual([
        1,
        expect.stringMatching(
          /"kneighborsclassifier" is sklearn\.\S+KNeighborsClassifier, which is not converted.*skl2onnx/,
        ),
      ]);
      const other = await node.run('deploy', 'other.pkl');
      expect(other.stderr).toMatch(/holds builtins\.dict, which is no estimator/);
    });
  },
);

describe.skipIf(sklearn.skip || bubblewrap.skip)('a hostile pickle', () => {
  let folder: string;
  let server: Server;
  let connections = 0;
  beforeAll(async () => {
    folder = testFolder();
    server = createServer(() => connections++);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterAll(() => server.close());

  const hostile = async (code: string): Promise<unknown> => {
    const path = join(folder, 'model.pkl');
    const source = `import pickle
class Hostile:
    def __reduce__(self): return (exec, (${JSON.stringify(code)},))
pickle.dump(Hostile(), open(${JSON.stringify(path)}, 'wb'))`;
    execFileSync(PYTHON, ['-c', source]);
    const context = {
      env: {},
      notes: { step: () => undefined, clear: () => undefined } as never,
      signal: new AbortController().signal,
    };
    const limits = { wallMs: 5000, memoryBytes: 512 * 2 ** 20 };
    return convertedEstimator(context, readFileSync(path), 'model.pkl', undefined, limits).then(
      () => 'converted',
      ({ code: refused }: { code: string }) => refused,
    );
  };

  it('runs nothing on this machine, and leaves nothing', async () => {
    const trace = join(folder, 'trace');
    writeFileSync(join(folder, 'kept'), 'kept');
    const { port } = server.address() as { port: number };
    for (const [code, refused] of [
      [`import os; os.system('touch ${trace}')`, 'CONVERSION_FAILED'],
      [`open('${trace}', 'w').write('x')`, 'CONVERSION_FAILED'],
      [`import os; os.remove('${join(folder, 'kept')}')`, 'CONVERSION_FAILED'],
      [`import socket; socket.create_connection(('127.0.0.1', ${port}), 1)`, 'CONVERSION_FAILED'],
      ['while True: pass', 'CONVERSION_LIMIT'],
      ['kept = bytearray(10 << 30)', 'CONVERSION_'],
      ['kept = [bytearray(1 << 20) for _ in range(10240)]', 'CONVERSION_'],
      [
        'import os; open("output", "wb").write(b"SKLEARN1" + bytes(64)); os._exit(0)',
        'MODEL_FILE_INVALID',
      ],
      ['import os; os.symlink("/etc/passwd", "output"); os._exit(0)', 'CONVERSION_FAILED'],
    ] as const) {
      expect([code, await hostile(code)]).toEqual([code, expect.stringContaining(refused)]);
    }
    expect([existsSync(trace), existsSync(join(folder, 'kept')), connections]).toEqual([
      false,
      true,
      0,
    ]);
  });
});

describe('isPickle', () => {
  it.each<[string, boolean]>([
    ['\x80\x04\x95', true],
    ['x\x9c', true],
    ['\x1f\x8b\x08', true],
    ['BZh91', true],
    ['\x80\x02\x8a\x0a\x6c\xfc\x9c\x46', false],
    ['\x08\x08\x12\x05skein', false],
    ['PK\x03\x04', false],
    ['{"learner"', false],
    ['', false],
  ])('%j: %s', (head, is) => expect(isPickle(Buffer.from(head, 'latin1'))).toBe(is));
});
