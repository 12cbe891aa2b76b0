import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { fuzzTarget, replayInputs } from './engine/supervisor.ts';
import { TARGETS } from './targets.ts';
import { LARGE_MODEL_NAMES as names } from './targets/large-models.ts';

const FIXTURES = fileURLToPath(new URL('../fixtures', import.meta.url));
const targets = readdirSync(FIXTURES);

it('has fixtures of existing targets only', () => {
  expect(targets.filter((name) => !(name in TARGETS))).toEqual([]);
});

describe('inputs that once made a reader hang, crash or throw an undocumented error', () => {
  it.each(targets)('no longer do: %s', async (target) => {
    const files = readdirSync(join(FIXTURES, target)).map((name) => join(FIXTURES, target, name));
    const found = await replayInputs(target, files);
    expect(found.map(({ index, kind, message }) => `${files[index]}: ${kind}: ${message}`)).toEqual(
      [],
    );
  });
});

it('ends for models that are built to be expensive', async () => {
  const target = 'onnx-large';
  const { inputs, findings } = await fuzzTarget({
    target,
    seed: 1,
    inputs: names.length,
    seconds: 300,
  });
  expect(
    findings.map(({ index, kind, message }) => `${names[index]}: ${kind}: ${message}`),
  ).toEqual([]);
  expect(inputs).toBe(names.length);
}, 300_000);
