import { expect, it } from 'vitest';
import { systemOf } from './system.ts';

it.each([
  ['gemini', undefined, 'gcp.gemini'],
  ['vertex', undefined, 'gcp.vertex_ai'],
  ['openai', undefined, 'openai'],
  ['openai', 'http://10.0.0.9:8000/v1', 'openai'],
  ['openai', 'https://api.groq.com/openai/v1', 'groq'],
  ['openai', 'https://own.openai.azure.com/openai/v1', 'azure.ai.openai'],
  ['openai', 'https://europe-west1-aiplatform.googleapis.com/v1', 'gcp.vertex_ai'],
  ['openai', 'https://notapi.x.ai.example.org/v1', 'openai'],
  ['openai', 'https://fakeapi.x.ai/v1', 'openai'],
  ['skein', 'https://api.x.ai', 'skein'],
  ['onnx', undefined, 'skein'],
] as const)('calls a provider of the kind %s at %s %s', (kind, baseUrl, system) => {
  expect(systemOf({ kind, baseUrl })).toBe(system);
});

it('calls the answers of this node skein', () => {
  expect(systemOf(undefined)).toBe('skein');
});
