/** Models that their own program trains and predicts with, converted and run: for the tests and `npm run bench -- door`. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ortSession, OrtTensor } from '../../testing/ort.ts';
import { writeModel } from '../../model/model.ts';
import { convertModel, type Converted } from '../convert.ts';
import { difference, type Difference } from '../difference.ts';

/** The Python of Debian's packages. */
export const PYTHON = '/usr/bin/python3';

export interface ConversionCase {
  readonly name: string;
  /** The file of the model. */
  readonly path: string;
  readonly rows: Float32Array;
  /** Outputs that the program predicts, by the name that the graph gives them. */
  readonly outputs: ReadonlyMap<string, readonly number[]>;
}

/** Trains the models of `xgboost_models.py` into a folder. */
export function trainXgboostModels(folder: string): ConversionCase[] {
  execFileSync(PYTHON, [join(import.meta.dirname, 'xgboost_models.py'), folder], {
    env: { ...process.env, OMP_NUM_THREADS: '1' },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const listed = parsed(join(folder, 'cases.json')) as { name: string; file: string }[];
  return listed.map(({ name, file }) => {
    const bytes = readFileSync(join(folder, name, 'rows.f32'));
    return {
      name,
      path: join(folder, name, file),
      rows: new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length)),
      outputs: new Map(
        Object.entries(parsed(join(folder, name, 'outputs.json')) as Record<string, number[]>),
      ),
    };
  });
}

const parsed = (path: string): unknown => JSON.parse(readFileSync(path, 'utf8'));

/** The difference of the converted graph, and of the interpreted file, from the program's predictions. */
export async function compareCase({ path, rows, outputs }: ConversionCase): Promise<{
  readonly converted: Converted;
  readonly graph: Difference;
  readonly interpreted: Difference;
}> {
  const converted = convertModel(readFileSync(path));
  return {
    converted,
    graph: difference(outputs, await runGraph(converted, rows)),
    interpreted: difference(outputs, converted.predict(rows)),
  };
}

export async function runGraph(
  { model, features }: Pick<Converted, 'model' | 'features'>,
  rows: Float32Array,
): Promise<ReadonlyMap<string, ArrayLike<number | bigint>>> {
  const session = await ortSession(writeModel(model));
  const x = new OrtTensor('float32', rows, [rows.length / features, features]);
  const results = await session.run({ x });
  await session.release();
  return new Map(
    Object.entries(results).map(([name, { data }]) => [name, data as Float32Array | BigInt64Array]),
  );
}
