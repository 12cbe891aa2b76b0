import { expect, test } from 'vitest';
import { mlp, writeModel } from '@skein/onnx';
import { inspectModel } from './inspection.ts';
import { labelsIn } from './labels.ts';

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
  expect(labelsIn(inspectModel(fileWith(key, value)).metadata)).toEqual(labels);
});
