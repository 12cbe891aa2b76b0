import { create, type MessageInitShape } from '@bufbuild/protobuf';
import {
  AttributeProtoSchema,
  FunctionProtoSchema,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  SparseTensorProtoSchema,
  TrainingInfoProtoSchema,
} from 'onnx-buf';
import { describe, expect, it } from 'vitest';
import { externalTensors, inlineExternalData } from './external-data.ts';
import { readModel, writeModel, type Model } from './model.ts';
import { OnnxError } from '../onnx-error.ts';
import { linear, moveOut } from '../testing/small-models.ts';

/** `linear()` with its weights elsewhere. */
function external(entries: Record<string, string>): Model {
  const model = linear();
  moveOut(model, entries);
  return readModel(writeModel(model));
}

const original = linear().graph!.initializer[0]!.rawData;
const file = new Uint8Array([9, 9, 9, 9, ...original, 9]);

describe('externalTensors', () => {
  it('lists file, offset and length', () => {
    const model = external({ location: './data/w.bin', offset: '4', length: '16' });
    expect(externalTensors(model)).toEqual([
      { place: "initialiser 'w'", location: 'data/w.bin', offset: 4, length: 16 },
    ]);
    expect(externalTensors(linear())).toEqual([]);
  });

  it('computes the length from the shape', () => {
    expect(externalTensors(external({ location: 'w.bin' }))[0]).toMatchObject({
      offset: 0,
      length: 16,
    });
  });

  it.each([
    '',
    '/etc/passwd',
    '../secret',
    'a/../../secret',
    'a\\..\\..\\secret',
    '\\\\server\\share',
    'C:\\secret',
    'c:secret',
    'a\0b',
  ])('refuses the location %j', (location) => {
    const act = () => externalTensors(external({ location }));
    expect(act).toThrow(OnnxError);
    expect(act).toThrow("outside the model's folder");
  });

  it('finds them in every place where a model can hold a tensor', () => {
    const [moved] = external({ location: 'w.bin' }).graph!.initializer;
    const t = moved!;
    const sparse = create(SparseTensorProtoSchema, { values: t });
    const holding = (attribute: MessageInitShape<typeof AttributeProtoSchema>) =>
      create(GraphProtoSchema, {
        node: [create(NodeProtoSchema, { attribute: [create(AttributeProtoSchema, attribute)] })],
      });
    const graph = create(GraphProtoSchema, { initializer: [t] });
    const function_ = { attributeProto: [create(AttributeProtoSchema, { t })] };
    const models: MessageInitShape<typeof ModelProtoSchema>[] = [
      { graph },
      { graph: create(GraphProtoSchema, { sparseInitializer: [sparse] }) },
      { graph: holding({ t }) },
      { graph: holding({ tensors: [t] }) },
      { graph: holding({ sparseTensor: sparse }) },
      { graph: holding({ sparseTensors: [sparse] }) },
      { graph: holding({ g: graph }) },
      { graph: holding({ graphs: [holding({ g: graph })] }) },
      { functions: [create(FunctionProtoSchema, function_)] },
      { trainingInfo: [create(TrainingInfoProtoSchema, { initialization: graph })] },
      { trainingInfo: [create(TrainingInfoProtoSchema, { algorithm: graph })] },
    ];
    const found = models.map((model) => externalTensors(create(ModelProtoSchema, model)).length);
    expect(found).toEqual(models.map(() => 1));
  });

  it.each([
    [{ location: 'w', offset: '-1' }, "The offset '-1'"],
    [{ location: 'w', offset: '1e3' }, "The offset '1e3'"],
    [{ location: 'w', length: '9007199254740993' }, 'The length'],
    [{ location: 'w', length: '8' }, 'take 16 bytes, but the model declares 8'],
  ])('refuses %j', (entries, words) => {
    expect(() => externalTensors(external(entries))).toThrow(words);
  });
});

describe('inlineExternalData', () => {
  it('restores the original model', async () => {
    const model = external({ location: 'w.bin', offset: '4', length: '16' });
    const asked: string[] = [];
    await inlineExternalData(model, async (location) => {
      asked.push(location);
      return file;
    });
    expect(asked).toEqual(['w.bin']);
    expect(model.graph!.initializer[0]!.rawData).toEqual(original);
    expect(externalTensors(readModel(writeModel(model)))).toEqual([]);
  });

  it('names the file that is missing', async () => {
    const model = external({ location: 'w.bin' });
    const inlined = inlineExternalData(model, () => Promise.reject(new Error('ENOENT')));
    await expect(inlined).rejects.toMatchObject({
      kind: 'external-data',
      message: "The file 'w.bin' that holds initialiser 'w' cannot be read: ENOENT",
    });
  });

  it('names the file that is too short', async () => {
    const model = external({ location: 'w.bin', offset: '8' });
    await expect(inlineExternalData(model, async () => file)).rejects.toMatchObject({
      kind: 'external-data',
      message: "The file 'w.bin' has 21 bytes, but initialiser 'w' lies at 8 to 24.",
    });
  });
});
