import { DEVICES } from '@skein/api/implementations';
import { expect, it } from 'vitest';
import { acceleratorOf, describeDevices, type DeviceReport } from '@skein/runtime';
import { checkAccelerator } from './onnx-runtime.ts';

/** Report of the runtime on a machine that has these files, by how their paths end. */
const cudaOf = (...present: string[]) =>
  describeDevices({
    platform: 'linux',
    arch: 'x64',
    exists: (path) => present.some((end) => path.endsWith(end)),
  }).find(({ device }) => device === 'cuda')!;

const findCuda = (report: DeviceReport, nameOf: () => Promise<string>, run: () => Promise<void>) =>
  checkAccelerator(report, acceleratorOf('cuda')!, nameOf, run)(CONTEXT);

const CONTEXT = { dataFolder: '.skein', httpPort: 4700, grpcPort: 4701, env: {} };

const DRIVER = '/dev/nvidiactl';
const LIBRARIES = ['providers_shared.so', 'providers_cuda.so'];
const card = async (): Promise<string> => 'NVIDIA H100';
const works = async (): Promise<void> => {};

it('names the first piece that is missing, and how to get it', async () => {
  expect(await findCuda(cudaOf(), card, works)).toMatchObject({
    status: 'missing',
    detail: expect.stringContaining('/dev/nvidiactl'),
    fix: expect.stringContaining('nvidia-smi'),
  });
  expect(await findCuda(cudaOf(DRIVER), card, works)).toMatchObject({
    status: 'missing',
    // Without the flag, the script of the package downloads nothing.
    fix: expect.stringMatching(/install\.js --onnxruntime-node-install=cuda12/),
  });
});

it('has a fix where nothing helps: none is needed', async () => {
  const [, elsewhere] = describeDevices({ platform: 'darwin', arch: 'arm64', exists: () => false });
  expect(await findCuda(elsewhere!, card, works)).toMatchObject({
    status: 'missing',
    fix: expect.stringContaining('Nothing to do'),
  });
});

it('believes only a run', async () => {
  const complete = cudaOf(DRIVER, ...LIBRARIES);
  expect(await findCuda(complete, card, works)).toMatchObject({
    status: 'ok',
    detail: 'NVIDIA H100',
  });
  const fails = (): Promise<void> =>
    Promise.reject(new Error('libcudnn.so.9: cannot open shared object file\n  at create'));
  expect(await findCuda(complete, card, fails)).toMatchObject({
    status: 'broken',
    needed: false,
    detail: 'NVIDIA H100, but libcudnn.so.9: cannot open shared object file',
    fix: expect.stringContaining('cuDNN 9'),
  });
});

it('has each device of the runtime among those that a deployment can ask for, in its order', () => {
  expect(DEVICES).toEqual(describeDevices().map(({ device }) => device));
});
