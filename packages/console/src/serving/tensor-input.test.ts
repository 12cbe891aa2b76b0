import { expect, it } from 'vitest';
import {
  canSend,
  curlOf,
  initialInput,
  tensorOf,
  typeScriptOf,
  type Spec,
} from './tensor-input.ts';

const spec = (type: string, shape: Spec['shape']): Spec => ({ name: 'x', type, shape });

it('begins with sizes of 1 for free dimensions, and with zeros for large inputs', () => {
  expect(initialInput(spec('float32', ['batch', 3]))).toEqual({
    shape: '1, 3',
    fill: 'values',
    values: '[0,0,0]',
  });
  expect(initialInput(spec('float32', [null, 3, 224, 224]))).toMatchObject({
    shape: '1, 3, 224, 224',
    fill: 'zeros',
  });
});

it('makes tensors of every type that a page can send', () => {
  const typed = (type: string, values: string) =>
    tensorOf(spec(type, [2]), { shape: '2', fill: 'values', values }).data;
  expect(typed('float32', '[[1.5], [2]]')).toEqual(Float32Array.of(1.5, 2));
  expect(typed('int64', '[1, -2]')).toEqual(BigInt64Array.of(1n, -2n));
  expect(typed('bool', '[true, false]')).toEqual(Uint8Array.of(1, 0));
  expect(typed('string', '["a", 1]')).toEqual(['a', '1']);
  expect(canSend(spec('complex64', [1]))).toBe(false);
});

it.each([
  ['2, x', '[0,0]', 'x: the shape has "x", which is not a size.'],
  ['2', '[0]', 'x: the shape has 2 elements, and 1 were given.'],
  ['1', '["a"]', 'x: "a" is not a number.'],
  ['1', '[null]', 'x: null is not a number.'],
  ['1', '[', /^x: the values are not JSON/],
  ['99999, 99999', '[]', /more than a page sends/],
])('explains why %s with %s is invalid', (shape, values, message) => {
  const read = () => tensorOf(spec('float32', [null]), { shape, fill: 'values', values });
  expect(read).toThrow(message);
});

it('writes commands that send the same', () => {
  const small = spec('float32', [2]);
  const tensor = tensorOf(small, { shape: '2', fill: 'values', values: '[1, 2.5]' });
  const sent = [{ spec: small, tensor, fill: 'values' as const }];
  expect(curlOf('http://node', "it's", sent)).toBe(
    `curl -s 'http://node/v2/models/it'\\''s/infer' -H 'content-type: application/json' -d '{"inputs":[{"name":"x","shape":[2],"datatype":"FP32","data":[1,2.5]}]}'`,
  );
  expect(typeScriptOf('http://node', 'risk', sent)).toContain(
    '"x": { shape: [2], data: Float32Array.of(1, 2.5) },',
  );
  const zeros = tensorOf(small, { shape: '2', fill: 'zeros', values: '' });
  const line = curlOf('http://node', 'risk', [{ spec: small, tensor: zeros, fill: 'zeros' }]);
  expect(line).toContain('head -c 8 /dev/zero');
});
