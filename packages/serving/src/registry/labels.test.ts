import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { mlp, writeModel } from '@skein/onnx';
import { scikitClassifier } from '../../../onnx/src/testing/scikit-classifier.ts';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { inspectModel } from './inspection.ts';
import { labelsIn, labelsOf } from './labels.ts';

function metadataOf(bytes: Uint8Array) {
  const path = join(testFolder(), 'model.onnx');
  writeFileSync(path, bytes);
  return inspectModel(path, bytes.byteLength).metadata;
}

function fileWith(key: string, value: string): Uint8Array {
  const model = mlp({ sizes: [4, 3], seed: 1 });
  model.metadataProps.push({ $typeName: 'onnx.StringStringEntryProto', key, value });
  return writeModel(model);
}

test.each([
  ['labels', '["cat","dog"]', ['cat', 'dog']],
  ['classes', '["cat","dog"]', ['cat', 'dog']],
  ['names', `{0: 'person', 1: "dog's"}`, ['person', "dog's"]],
  ['skein.training', '{"task":"classification","classes":["no","yes"]}', ['no', 'yes']],
  ['skein.training', '{"task":"regression","classes":[]}', undefined],
  ['labels', '["cat",1]', undefined],
  ['labels', 'cat, dog', undefined],
  ['names', `{1: 'person', 0: 'car'}`, undefined],
  ['names', `${'1'.repeat(65_000)}x`, undefined],
  ['labels', JSON.stringify(['x'.repeat(70_000)]), undefined],
  ['other', '["cat"]', undefined],
])('the metadata %s: %s', (key, value, labels) => {
  expect(labelsIn(metadataOf(fileWith(key, value)))).toEqual(labels);
});

test('labels of a ZipMap are kept, unless the metadata name as many', () => {
  const model = scikitClassifier('linear', [0, 1, 2]);
  const labelsAfter = (key: string, value: string) => {
    model.metadataProps = [{ $typeName: 'onnx.StringStringEntryProto', key, value }];
    return labelsIn(metadataOf(writeModel(model)));
  };
  expect(labelsAfter('other', '')).toEqual(['0', '1', '2']);
  expect(labelsAfter('labels', '["a","b","c"]')).toEqual(['a', 'b', 'c']);
  expect(labelsAfter('names', '["height","weight"]')).toEqual(['0', '1', '2']);
});

test('labels that differ between outputs are not kept', () => {
  const model = scikitClassifier('linear', [0, 1, 2]);
  expect(labelsOf(model, [['a'], ['b']])).toEqual({});
  expect(labelsOf(model, [['a'], ['a']])).toEqual({ labels: '["a"]' });
  expect(labelsOf(model, [[]])).toEqual({});
});
