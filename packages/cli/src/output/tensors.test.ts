import { expect, it } from 'vitest';
import { tensorJson } from './tensors.ts';

it('gives strings whole, with a byte order mark, and other bytes as base64', () => {
  const data = ['a', '\uFEFFb'].map((text) => new TextEncoder().encode(text));
  const tensor = { type: 'string', shape: [3], data: [...data, Uint8Array.of(0xff)] } as const;
  expect(tensorJson(tensor).data).toEqual(['a', '\uFEFFb', 'base64:/w==']);
});
