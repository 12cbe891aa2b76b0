import { create } from '@bufbuild/protobuf';
import * as fc from 'fast-check';
import { ModelProtoSchema } from 'onnx-buf';
import { describe, expect, it } from 'vitest';
import { checkModel } from './check.ts';
import { opsetOf, readModel, writeModel, type Model } from './model.ts';
import { OnnxError } from '../onnx-error.ts';
import { signatureOf } from './signature.ts';
import { bytesOf, realModels } from '../testing/real-models.ts';
import { branching, linear } from '../testing/small-models.ts';

function errorOf(act: () => unknown): OnnxError {
  try {
    act();
  } catch (error) {
    if (error instanceof OnnxError) return error;
    throw error;
  }
  throw new Error('It did not throw.');
}

const edited = (change: (model: Model) => void) => {
  const model = linear();
  change(model);
  return writeModel(model);
};

describe('round trip', () => {
  it.each(realModels)('gives $name back byte for byte', ({ path }) => {
    const bytes = bytesOf(path);
    expect(Buffer.compare(writeModel(readModel(bytes)), bytes)).toBe(0);
  });

  it('keeps fields that this version does not know', () => {
    // Field 999 of the model: bytes "later".
    const later = new Uint8Array([0xba, 0x3e, 5, ...new TextEncoder().encode('later')]);
    const bytes = new Uint8Array([...writeModel(linear()), ...later]);
    expect(writeModel(readModel(bytes))).toEqual(bytes);
  });

  it('does not copy weights while reading', () => {
    const bytes = writeModel(linear());
    expect(readModel(bytes).graph!.initializer[0]!.rawData.buffer).toBe(bytes.buffer);
  });
});

describe('a file that is not a model', () => {
  const text = (content: string) => Uint8Array.from(content, (char) => char.codePointAt(0)!);

  it.each([
    ['an empty file', new Uint8Array(0), 'The file is empty.'],
    ['a web page', text('<!DOCTYPE html><html>'), 'HTML'],
    ['JSON', text('{"error": "not found"}'), 'JSON'],
    ['a Git LFS pointer', text('version https://git-lfs.github.com/spec/v1\noid'), 'git lfs pull'],
    ['a PyTorch checkpoint', text('PK\x03\x04...................'), 'PyTorch'],
    ['a pickle', text('\x80\x02}q\x00.'), 'pickle'],
    ['Keras', text('\x89HDF\r\n\x1a\n........'), 'Keras'],
    ['TensorFlow Lite', text('\x1c\x00\x00\x00TFL3........'), 'TensorFlow Lite'],
    ['safetensors', text('\x40\x00\x00\x00\x00\x00\x00\x00{"w":{'), 'safetensors'],
    ['GGUF', text('GGUF\x03\x00\x00\x00'), 'GGUF'],
    ['a gzip archive', text('\x1f\x8b\x08\x00....'), 'gzip'],
    ['text', text('hello, this text is not a model'), 'not an ONNX model'],
    ['zeros', new Uint8Array(64), 'not an ONNX model'],
  ])('refuses %s and names its format', (_, bytes, words) => {
    const error = errorOf(() => readModel(bytes));
    expect(error.kind).toBe('invalid');
    expect(error.message).toContain(words);
  });

  it('refuses every prefix of a model, and names a truncated file so', () => {
    const bytes = writeModel(branching());
    let truncated = 0;
    for (let length = 0; length < bytes.byteLength; length++) {
      const error = errorOf(() => readModel(bytes.subarray(0, length)));
      expect(error.kind).toBe('invalid');
      if (error.message.startsWith(`The file is truncated after ${length} bytes`)) truncated++;
    }
    // All but the few prefixes that end between two outermost fields.
    expect(truncated).toBeGreaterThanOrEqual(bytes.byteLength - 5);
  });

  it('throws an OnnxError for any bytes, or accepts them', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        try {
          const model = readModel(bytes);
          checkModel(model);
          signatureOf(model);
        } catch (error) {
          expect(error).toBeInstanceOf(OnnxError);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('throws an OnnxError for what is not bytes, such as a path', () => {
    for (const given of ['model.onnx', new ArrayBuffer(4), undefined]) {
      expect(() => readModel(given as unknown as Uint8Array)).toThrow(OnnxError);
    }
  });

  it('throws an OnnxError for any damage to a model, or accepts it', () => {
    const whole = writeModel(branching());
    const damage = fc.array(
      fc.tuple(fc.nat(whole.byteLength - 1), fc.integer({ min: 0, max: 255 })),
      { minLength: 1, maxLength: 8 },
    );
    fc.assert(
      fc.property(damage, (changes) => {
        const bytes = whole.slice();
        for (const [at, byte] of changes) bytes[at] = byte;
        try {
          const model = readModel(bytes);
          checkModel(model);
          signatureOf(model);
        } catch (error) {
          expect(error).toBeInstanceOf(OnnxError);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('refuses endless nesting', () => {
    const model = linear();
    let graph = model.graph!;
    for (let depth = 0; depth < 200; depth++) {
      const inner = linear().graph!;
      graph.node[0]!.attribute.push(
        create(ModelProtoSchema, { graph: { node: [{ attribute: [{ name: 'body', g: inner }] }] } })
          .graph!.node[0]!.attribute[0]!,
      );
      graph = inner;
    }
    expect(errorOf(() => readModel(writeModel(model))).kind).toBe('invalid');
  });
});

describe('a model that is too new or incomplete', () => {
  it.each([
    ['IR version 14', edited((m) => (m.irVersion = 14n)), 'unsupported', 'IR version 14'],
    ['opset 27', edited((m) => (m.opsetImport[0]!.version = 27n)), 'unsupported', 'opset 27'],
    ['no IR version', edited((m) => (m.irVersion = 0n)), 'invalid', 'no IR version'],
    ['no opset', edited((m) => (m.opsetImport = [])), 'invalid', 'no operator set'],
    ['no graph', edited((m) => delete m.graph), 'invalid', 'no graph'],
  ])('refuses %s', (_, bytes, kind, words) => {
    const error = errorOf(() => readModel(bytes));
    expect(error.kind).toBe(kind);
    expect(error.message).toContain(words);
  });

  it('finds an operator set under both names of the default domain', () => {
    expect(opsetOf(linear())).toBe(17);
    const named = readModel(edited((m) => (m.opsetImport[0]!.domain = 'ai.onnx')));
    expect(opsetOf(named)).toBe(17);
    expect(opsetOf(named, 'com.microsoft')).toBeUndefined();
  });
});
