/** Random texts of random schemas, by a validator that others wrote. */
import { seededRandom } from '@skein/onnx';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect, it } from 'vitest';
import { grammarOfSchema } from './json-schema.ts';
import { FORMAT_READERS } from './testing/format-readers.ts';
import { randomSchema } from './testing/random-schemas.ts';
import { randomText } from './testing/texts.ts';

const SCHEMAS = 800;
const TEXTS_OF_EACH = 4;

it('are valid, or the schema is refused', () => {
  const ajv = new Ajv2020({ strict: false, ownProperties: true, multipleOfPrecision: 9 });
  for (const [name, reads] of Object.entries(FORMAT_READERS)) ajv.addFormat(name, reads);
  const random = seededRandom(1);
  let kept = 0;
  for (let n = 0; n < SCHEMAS; n++) {
    const schema = randomSchema(random, 3);
    const grammar = grammarOrRefusal(schema);
    if (grammar === undefined) continue;
    kept++;
    const isValid = ajv.compile(schema);
    for (let seed = 0; seed < TEXTS_OF_EACH; seed++) {
      const text = randomText(grammar, n + seed);
      expect(isValid(JSON.parse(text)) || { schema, text }).toBe(true);
    }
  }
  expect(kept).toBeGreaterThan(SCHEMAS / 2);
});

function grammarOrRefusal(schema: Record<string, unknown>) {
  try {
    return grammarOfSchema(schema);
  } catch (error) {
    expect(error).toMatchObject({ code: 'GENERATION_UNSUPPORTED' });
    return undefined;
  }
}
