import { expect, it } from 'vitest';
import { z } from 'zod';
import { limitFields, limitsIn } from './metadata.ts';

it('gives whole bytes for limits in parts of a mebibyte, which a sandbox can hold', () => {
  const limits = z.object(limitFields(z.number().positive())).parse({ memory: 1.3, output: 0.1 });
  expect(limitsIn(limits)).toMatchObject({ memoryBytes: 1_363_149, outputBytes: 104_858 });
});
