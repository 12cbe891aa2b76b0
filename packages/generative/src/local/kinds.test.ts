import { LanguageSettings } from '@skein/api';
import { beforeAll, expect, it } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { openGateway } from '../gateway.ts';
import { writeExampleModel } from './build/example.ts';
import { openLocal } from './kinds.ts';

const folder = testFolder();
beforeAll(() => writeExampleModel(folder));

const provider = { name: 'here', kind: 'onnx' as const, path: folder };

it('answers a request of the gateway with a model of this machine', async () => {
  const settings = LanguageSettings.parse({
    providers: [provider],
    models: [
      {
        name: 'example',
        routes: [{ provider: 'here', model: 'm' }],
        ttftMs: 60_000,
        gapMs: 60_000,
      },
    ],
  });
  const gateway = await openGateway({ settings });
  try {
    const generation = await gateway.generate(
      {
        model: 'example',
        messages: [{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }],
        stream: true,
      },
      {
        requestId: 'r',
        tenant: 't',
        arrivedAt: performance.now(),
        priority: 0,
        signal: new AbortController().signal,
      },
    );
    let text = '';
    for await (const event of generation.events) if (event.type === 'text') text += event.text;
    expect(text).toMatch(/^Hello! I am the example model/);
    expect(generation.receipt()).toMatchObject({
      provider: 'here',
      usage: { outputTokens: expect.any(Number) },
    });
  } finally {
    await gateway.close();
  }
});

it('loads a path once for several gateways, until the last has left', async () => {
  const settings = LanguageSettings.parse({ providers: [provider] }).providers[0]!;
  const pidOf = async (opened: object): Promise<number> =>
    (await (opened as { state(): Promise<{ pid: number }> }).state()).pid;
  const [first, second] = [await openLocal(settings), await openLocal(settings)];
  const pid = await pidOf(first);
  expect(await pidOf(second)).toBe(pid);
  await first.close();
  await first.close();
  expect(await pidOf(second)).toBe(pid);
  await second.close();
  const third = await openLocal(settings);
  expect(await pidOf(third)).not.toBe(pid);
  await third.close();
  await expect(openLocal({ ...settings, path: undefined })).rejects.toMatchObject({
    code: 'PROVIDER_INVALID',
  });
});
