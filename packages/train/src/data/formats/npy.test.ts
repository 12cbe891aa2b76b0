import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { testFolder } from '../../../../../scripts/testing/folder.ts';
import type { Tensor } from '@skein/onnx';
import { requireComponent } from '../../../../../scripts/testing/components.ts';
import { tensorElements } from '../../../../load/src/sending/tensor-elements.ts';
import { readNpy } from './npy.ts';

// NumPy comes with it.
const numpy = requireComponent('python3-onnxruntime');

const CASES = [
  ["np.arange(6, dtype='<f4').reshape(2, 3) / 4", 'float32', [2, 3]],
  ["np.arange(24, dtype='<i8').reshape(2, 3, 4)", 'int64', [2, 3, 4]],
  ["np.asfortranarray(np.arange(24, dtype='<i4').reshape(2, 3, 4))", 'int32', [2, 3, 4]],
  ["np.arange(6, dtype='>f8').reshape(3, 2) * 1.5", 'float64', [3, 2]],
  ["np.asfortranarray(np.arange(6, dtype='>u2').reshape(3, 2))", 'uint16', [3, 2]],
  ["np.array([0.5, -2, 65504], dtype='<f2')", 'float16', [3]],
  ['np.array([True, False, True])', 'bool', [3]],
  [
    "np.asfortranarray(np.array([['a', 'bc', 'd'], ['ef', 'g', 'h']], dtype='>U2'))",
    'string',
    [2, 3],
  ],
  ["np.array([1, 255], dtype='u1')", 'uint8', [2]],
  ["np.array([-128, 127], dtype='i1')", 'int8', [2]],
  ['np.float32(7.25)', 'float32', []],
  ["np.zeros((0, 3), dtype='<f4')", 'float32', [0, 3]],
  ["np.array(['grüße', '識別', ''])", 'string', [3]],
  ["np.array([b'abc', b'de'])", 'string', [2]],
  ["np.array(['a' + chr(0) + 'b', chr(0) + 'c', 'ab'])", 'string', [3]],
  ["np.array([b'a' + bytes(1) + b'b', b'ab'])", 'string', [2]],
] as const;

describe.skipIf(numpy.skip)('readNpy, of files that NumPy wrote', () => {
  const folder = testFolder();
  let expected: { type: string; shape: number[]; flat: unknown[] }[];

  beforeAll(() => {
    const program = `
import json, numpy as np
cases = [${CASES.map(([expression]) => expression).join(', ')}]
text = lambda value: value.decode() if isinstance(value, bytes) else value
out = []
for index, array in enumerate(cases):
    np.save(${JSON.stringify(folder)} + f'/{index}.npy', array)
    out.append({'flat': [text(v) for v in np.asarray(array).ravel(order='C').tolist()]})
print(json.dumps(out))`;
    const python = spawnSync('/usr/bin/python3', ['-c', program], { encoding: 'utf8' });
    if (python.status !== 0) throw new Error(python.stderr);
    expected = JSON.parse(python.stdout) as typeof expected;
  });

  it.each(CASES.map((row, index) => [index, ...row] as const))(
    '%s: %s',
    (index, _, type, shape) => {
      const read: Tensor = readNpy(readFileSync(join(folder, `${index}.npy`)));
      expect(read.type).toBe(type);
      expect(read.shape).toEqual(shape);
      expect(tensorElements(read)).toEqual(expected[index]?.flat);
    },
  );

  it('explains how a file is cut off, at every length', () => {
    const whole = readFileSync(join(folder, '0.npy'));
    for (let length = 0; length < whole.length; length++) {
      expect(() => readNpy(whole.subarray(0, length))).toThrow(
        /cut off|not a NumPy array|take 24 bytes, but holds/,
      );
    }
  });
});

it('refuses a file that is not .npy, and texts that are none', () => {
  expect(() => readNpy(Buffer.from('PK\x03\x04'))).toThrow('The file is not a NumPy array.');
  const header = (descriptor: string, shape: string) => {
    const text = `{'descr': '${descriptor}', 'fortran_order': False, 'shape': (${shape}), }`;
    return Buffer.from(`\x93NUMPY\x01\0${String.fromCharCode(text.length)}\0${text}`, 'latin1');
  };
  const beyond = Buffer.concat([header('<U1', '1,'), Buffer.from([0, 0, 0x11, 0])]);
  expect(() => readNpy(beyond)).toThrow('holds the character 1114112, which Unicode lacks');
  expect(() => readNpy(header('<U0', '9999999999,'))).toThrow('elements of type <U0, which');
  expect(() => readNpy(header('|S8', '9999999999,'))).toThrow('take 79999999992 bytes');
});
