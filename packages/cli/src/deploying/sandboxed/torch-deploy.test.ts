/** Archives of PyTorch, deployed by the command: PyTorch writes them, and its outputs are the oracle. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { requireComponent } from '../../../../../scripts/testing/components.ts';
import { startNodeProcess, type NodeProcess } from '../../../../server/src/testing/node-process.ts';
import type { Deployed } from '../deploying.ts';

const torch = requireComponent('python3-torch');
const bubblewrap = requireComponent('bubblewrap');

/** Writes each archive, and PyTorch's answer to a picture of 0.5. */
const MAKE = `import json, torch
torch.manual_seed(0)
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(1, 4, 3, padding=1)
        self.norm = torch.nn.BatchNorm2d(4)
        self.dense = torch.nn.Linear(4 * 8 * 8, 3)
    def forward(self, x):
        y = torch.relu(self.norm(self.conv(x)))
        return torch.softmax(self.dense(y.view(x.shape[0], -1)), 1)
net, x = Net().eval(), torch.full((2, 1, 8, 8), 0.5)
torch.jit.save(torch.jit.trace(net, x), 'traced.pt')
torch.jit.save(torch.jit.script(net), 'Scripted.pt')
batch = torch.export.Dim('batch', min=1, max=64)
torch.export.save(torch.export.export(net, (x,), dynamic_shapes=({0: batch},)), 'program.pt2')
torch.save(net.state_dict(), 'weights.pt')
torch.save(net, 'pickled.pt')
torch.save(net.state_dict(), 'old.pt', _use_new_zipfile_serialization=False)
json.dump(net(x)[0].tolist(), open('answer.json', 'w'))`;

let node: NodeProcess;
let answer: readonly number[];
beforeAll(async () => {
  if (torch.skip) return;
  node = await startNodeProcess();
  execFileSync('/usr/bin/python3', ['-W', 'ignore', '-c', MAKE], {
    cwd: node.folder,
    stdio: 'pipe',
  });
  answer = JSON.parse(readFileSync(join(node.folder, 'answer.json'), 'utf8')) as number[];
}, 120_000);
afterAll(() => node?.stop());

async function requireAnswer(name: string, rows: number): Promise<void> {
  const data = Array.from({ length: rows * 64 }, () => 0.5);
  const response = await fetch(`${node.url}/v2/models/${name}/infer`, {
    method: 'POST',
    headers: { 'skein-timeout-ms': '20000' },
    body: JSON.stringify({
      inputs: [{ name: 'x', datatype: 'FP32', shape: [rows, 1, 8, 8], data }],
    }),
  });
  const { outputs } = (await response.json()) as {
    outputs: readonly { name: string; shape: number[]; data: number[] }[];
  };
  expect(outputs).toMatchObject([{ name: 'output', shape: [rows, 3] }]);
  outputs[0]!.data.forEach((value, at) => expect(value).toBeCloseTo(answer[at % 3]!, 5));
}

describe.skipIf(torch.skip || bubblewrap.skip)('skein deploy of an archive of PyTorch', () => {
  it.each([
    ['traced', ['traced.pt'], 'TorchScript'],
    ['scripted', ['Scripted.pt', '--input', 'x=float32[2,1,8,8]'], 'TorchScript'],
    ['program', ['program.pt2'], 'torch.export'],
  ])(
    'serves the %s model with a batch of any size',
    async (name, words, form) => {
      const deployed = await node.json<Deployed>('deploy', ...words, '--oversubscribe', '--json');
      expect(deployed.conversion).toMatchObject({
        source: expect.stringMatching(/^PyTorch \d/),
        form,
        sandbox: 'bubblewrap',
        notes: [],
        compared: { rows: 7, with: 'program', tolerance: 1e-4 },
      });
      await requireAnswer(name, 1);
      await requireAnswer(name, 3);
    },
    60_000,
  );

  it('shows the option for the shape that an archive does not hold', async () => {
    const { code, stderr } = await node.run('deploy', 'Scripted.pt', '--name', 'none');
    expect([code, stderr]).toEqual([
      1,
      expect.stringContaining('--input x=float32[batch,3,224,224]'),
    ]);
    await expect(node.client.getDeployment({ name: 'none' })).rejects.toMatchObject({
      code: 'MODEL_UNKNOWN',
    });
  }, 60_000);

  it.each(['weights.pt', 'pickled.pt', 'old.pt'])(
    'refuses %s, which has no code',
    async (file) => {
      const { code, stderr } = await node.run('deploy', file);
      expect([code, stderr]).toEqual([
        1,
        expect.stringMatching(/holds weights, and not the code .* torch\.jit\.save/),
      ]);
    },
    60_000,
  );

  it('refuses an --input that is none, and one for another kind of file', async () => {
    writeFileSync(join(node.folder, 'other.onnx'), 'x');
    for (const [words, message] of [
      [['traced.pt', '--input', 'x=FP32[1]'], /"FP32" is not one of float32/],
      [['traced.pt', '--input', 'x=float32[0]'], /a size is a number from 1/],
      [['traced.pt', '--input', 'x'], /is not NAME=TYPE\[SHAPE\]/],
      [['traced.pt', '--input', 'y=float32[1]'], /takes no input y; it takes x/],
      [['other.onnx', '--input', 'x=float32[1]'], /--input is for archives of PyTorch/],
    ] as const) {
      const { code, stderr } = await node.run('deploy', ...words);
      expect([words, code, stderr]).toEqual([
        words,
        expect.toBeOneOf([1, 2]),
        expect.stringMatching(message),
      ]);
    }
  }, 60_000);
});
