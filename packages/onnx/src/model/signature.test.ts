import { create } from '@bufbuild/protobuf';
import { TypeProtoSchema, ValueInfoProtoSchema } from 'onnx-buf';
import { describe, expect, it } from 'vitest';
import { GraphBuilder } from './builder.ts';
import { elementTypeNumber } from '../tensor/element-type.ts';
import { readModel, writeModel } from './model.ts';
import { OnnxError } from '../onnx-error.ts';
import { signatureOf } from './signature.ts';
import { ELEMENT_TYPES } from '../tensor/tensor.ts';
import { ortSession } from '../testing/ort.ts';
import { bytesOf, realModels } from '../testing/real-models.ts';
import { linear } from '../testing/small-models.ts';

/** Report of ONNX Runtime; it has `''` for an unnamed size. */
async function ortSignature(bytes: Uint8Array): Promise<unknown> {
  const session = await ortSession(bytes);
  const reported = (metadata: typeof session.inputMetadata) =>
    metadata.map((each) => {
      if (!each.isTensor) return each.name;
      const shape = each.shape.map((size) => (size === '' ? null : size));
      return { name: each.name, type: each.type, shape };
    });
  const signature = {
    inputs: reported(session.inputMetadata),
    outputs: reported(session.outputMetadata),
  };
  await session.release();
  return signature;
}

describe('signatureOf', () => {
  it.each(realModels)('reads the same signature of $name as ONNX Runtime', async ({ path }) => {
    const bytes = bytesOf(path);
    expect(signatureOf(readModel(bytes))).toEqual(await ortSignature(bytes));
  });

  it.each(ELEMENT_TYPES.filter((type) => type !== 'bfloat16'))(
    'reads %s, scalars, fixed, named and unnamed sizes',
    async (type) => {
      const graph = new GraphBuilder('identity');
      for (const [i, shape] of [[], [3, 'n', null], [0]].entries()) {
        graph.input(`x${i}`, type, shape);
        graph.node('Identity', [`x${i}`], {}, { outputs: [`y${i}`] });
        graph.output(`y${i}`, type, shape);
      }
      const model = graph.model();
      expect(signatureOf(model)).toEqual(await ortSignature(writeModel(model)));
    },
  );

  it('does not ask for initialisers that are listed as inputs', async () => {
    const model = linear();
    model.graph!.input.push(
      create(ValueInfoProtoSchema, {
        name: 'w',
        type: {
          value: {
            case: 'tensorType',
            value: {
              elemType: elementTypeNumber('float32'),
              shape: { dim: [{ value: { case: 'dimValue', value: 2n } }, {}] },
            },
          },
        },
      }),
    );
    expect(signatureOf(model).inputs.map(({ name }) => name)).toEqual(['x']);
    expect(signatureOf(model)).toEqual(await ortSignature(writeModel(model)));
  });

  const float = create(TypeProtoSchema, { value: { case: 'tensorType', value: { elemType: 1 } } });
  it.each([
    ['a sequence', { case: 'sequenceType', value: { elemType: float } }],
    ['a map', { case: 'mapType', value: { keyType: 7, valueType: float } }],
    ['an optional', { case: 'optionalType', value: { elemType: float } }],
    ['a sparse tensor', { case: 'sparseTensorType', value: { elemType: 1 } }],
    ['complex64', { case: 'tensorType', value: { elemType: 14 } }],
    ['float8e4m3fn', { case: 'tensorType', value: { elemType: 17 } }],
    ['type 99', { case: 'tensorType', value: { elemType: 99 } }],
    ['no shape', { case: 'tensorType', value: { elemType: 1 } }],
  ] as const)('refuses an input that is %s, by its name', (words, value) => {
    const model = linear();
    model.graph!.input[0]!.type = create(TypeProtoSchema, { value });
    const act = () => signatureOf(model);
    expect(act).toThrow(OnnxError);
    expect(act).toThrow(words);
    expect(act).toThrow("'x'");
  });
});
