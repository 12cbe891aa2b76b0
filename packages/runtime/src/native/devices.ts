/**
 * The devices that a native session can use here, and the missing pieces of the others.
 *
 * ONNX Runtime loads its CUDA provider from a library beside its own, which is too large for the npm
 * registry and which its package would download while it is installed. Skein does not let packages
 * run scripts while they are installed, so this is a step of its own.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

export interface DeviceReport {
  readonly device: 'cpu' | 'cuda';
  readonly available: boolean;
  /** The device, or exactly which piece is missing. */
  readonly detail: string;
  /** How to get the missing piece; undefined when there is no way. */
  readonly fix?: string;
}

/** The facts about the machine that `cudaReport` uses; replaced in tests. */
export interface Machine {
  /** As in `process.platform` and `process.arch`. */
  readonly platform: string;
  readonly arch: string;
  exists(path: string): boolean;
}

const PACKAGE = dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'));

const PROVIDER_LIBRARIES = [
  'libonnxruntime_providers_shared.so',
  'libonnxruntime_providers_cuda.so',
];

const THIS_MACHINE: Machine = {
  platform: process.platform,
  arch: process.arch,
  exists: existsSync,
};

/** Every device, the CPU first. */
export function describeDevices(machine: Machine = THIS_MACHINE): readonly DeviceReport[] {
  const cpu = {
    device: 'cpu' as const,
    available: true,
    detail: `ONNX Runtime for ${machine.platform}/${machine.arch}`,
  };
  return [cpu, cudaReport(machine)];
}

export function cudaReport(machine: Machine = THIS_MACHINE): DeviceReport {
  const { platform, arch } = machine;
  const missing = (detail: string, fix?: string): DeviceReport => ({
    device: 'cuda',
    available: false,
    detail,
    ...(fix === undefined ? {} : { fix }),
  });
  if (platform !== 'linux' || arch !== 'x64') {
    return missing(
      `onnxruntime-node has its CUDA provider for linux/x64 only; this is ${platform}/${arch}`,
    );
  }
  if (!machine.exists('/dev/nvidiactl')) {
    return missing(
      'the NVIDIA driver is not loaded: there is no /dev/nvidiactl',
      'Install the NVIDIA driver and check it with `nvidia-smi`; in a container, pass the GPU in (`docker run --gpus all`).',
    );
  }
  const folder = join(PACKAGE, 'bin', 'napi-v6', platform, arch);
  const library = PROVIDER_LIBRARIES.find((name) => !machine.exists(join(folder, name)));
  if (library !== undefined) {
    return missing(
      `ONNX Runtime's CUDA provider is not installed: ${join(folder, library)} is missing`,
      `Run \`node ${join(PACKAGE, 'script', 'install.js')} --onnxruntime-node-install=cuda12\`, which downloads it, and have CUDA 12 and cuDNN 9 installed.`,
    );
  }
  return { device: 'cuda', available: true, detail: `CUDA provider in ${folder}` };
}

/** Why a device cannot be used, and the fix, in one message; `undefined` when it can. */
export function unavailability(device: 'cpu' | 'cuda'): string | undefined {
  if (device === 'cpu') return undefined;
  const { available, detail, fix } = cudaReport();
  if (available) return undefined;
  return `The device cuda is not available: ${detail}.${fix === undefined ? '' : ` ${fix}`}`;
}
