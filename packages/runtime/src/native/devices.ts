/**
 * The devices that a native session can use here, and the missing pieces of the others. A device is
 * one entry of `DEVICES`, under the name that ONNX Runtime has for its execution provider; the API
 * offers the names of `packages/api/src/implementations.ts`.
 *
 * ONNX Runtime loads its CUDA provider from a library in its own folder, which is too large for the npm
 * registry and which its package would download while it is installed. Skein does not let packages
 * run scripts while they are installed, so this is a step of its own.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

export interface DeviceReport {
  readonly device: Device;
  readonly available: boolean;
  /** The device, or exactly which piece is missing. */
  readonly detail: string;
  /** How to get the missing piece; undefined when there is no way. */
  readonly fix?: string;
}

type Finding = Omit<DeviceReport, 'device'>;

/** A device other than the CPU is an accelerator: it may be absent, and has these facts more. */
export interface Accelerator {
  /** Its name in `skein doctor`. */
  readonly title: string;
  /** The program that prints the name of the card. */
  readonly identify: readonly [program: string, ...arguments_: string[]];
  /** ONNX Runtime's message when the provider is installed but the machine cannot run it. */
  readonly trouble: RegExp;
  /** Components to install when ONNX Runtime reports it missing. */
  readonly requires: string;
  /** How to install it, for the operator. */
  readonly install: string;
}

interface DeviceEntry {
  find(machine: Machine): Finding;
  readonly accelerator?: Accelerator;
}

/** The facts about the machine that an entry uses; replaced in tests. */
export interface Machine {
  /** Platform and architecture, named like `process.platform` and `process.arch`. */
  readonly platform: string;
  readonly arch: string;
  readonly exists: (path: string) => boolean;
}

const PACKAGE = packageOfLibrary();

/** ONNX Runtime's folder; in an installation from packages, its package for this platform. */
function packageOfLibrary(): string {
  const whole = createRequire(import.meta.url).resolve('onnxruntime-node/package.json');
  const ofPlatform = `@skein/onnxruntime-${process.platform}-${process.arch}/package.json`;
  try {
    return dirname(createRequire(whole).resolve(ofPlatform));
  } catch {
    return dirname(whole);
  }
}

const PROVIDER_LIBRARIES = [
  'libonnxruntime_providers_shared.so',
  'libonnxruntime_providers_cuda.so',
];

const THIS_MACHINE: Machine = {
  platform: process.platform,
  arch: process.arch,
  exists: existsSync,
};

const DEVICES = {
  cpu: {
    find: ({ platform, arch }) => ({
      available: true,
      detail: `ONNX Runtime for ${platform}/${arch}`,
    }),
  },
  cuda: {
    find: findCuda,
    accelerator: {
      title: 'CUDA',
      identify: ['nvidia-smi', '--query-gpu=name,memory.total', '--format=csv,noheader'],
      trouble: /providers?_(?:cuda|shared)|Cuda|CUDA|cudnn|cublas/,
      requires:
        'CUDA 12 and cuDNN 9 must be installed, and the driver must be recent enough for them (`nvidia-smi`).',
      install:
        'Install CUDA 12 and cuDNN 9 where the dynamic linker finds them: `ldconfig -p | grep -E "libcudart.so.12|libcudnn.so.9"` must name both',
    },
  },
} as const satisfies Readonly<Record<string, DeviceEntry>>;

export type Device = keyof typeof DEVICES;
const ENTRIES: Readonly<Record<Device, DeviceEntry>> = DEVICES;

/** Every device, the CPU first. */
export function describeDevices(machine: Machine = THIS_MACHINE): readonly DeviceReport[] {
  return (Object.keys(DEVICES) as Device[]).map((device) => reportOf(device, machine));
}

/** Undefined for the CPU. */
export function acceleratorOf(device: Device): Accelerator | undefined {
  return ENTRIES[device].accelerator;
}

/** Why a device cannot be used, and the fix, in one message; `undefined` when it can. */
export function unavailability(device: Device): string | undefined {
  const { available, detail, fix } = reportOf(device, THIS_MACHINE);
  if (available) return undefined;
  return `The device ${device} is not available: ${detail}.${fix === undefined ? '' : ` ${fix}`}`;
}

function reportOf(device: Device, machine: Machine): DeviceReport {
  return { device, ...ENTRIES[device].find(machine) };
}

function findCuda({ platform, arch, exists }: Machine): Finding {
  const missing = (detail: string, fix?: string): Finding => ({
    available: false,
    detail,
    ...(fix === undefined ? {} : { fix }),
  });
  if (platform !== 'linux' || arch !== 'x64') {
    return missing(
      `onnxruntime-node has its CUDA provider for linux/x64 only; this is ${platform}/${arch}`,
    );
  }
  if (!exists('/dev/nvidiactl')) {
    return missing(
      'the NVIDIA driver is not loaded: there is no /dev/nvidiactl',
      'Install the NVIDIA driver and check it with `nvidia-smi`; in a container, pass the GPU in (`docker run --gpus all`).',
    );
  }
  const folder = join(PACKAGE, 'bin', 'napi-v6', platform, arch);
  const library = PROVIDER_LIBRARIES.find((name) => !exists(join(folder, name)));
  if (library !== undefined) {
    return missing(
      `ONNX Runtime's CUDA provider is not installed: ${join(folder, library)} is missing`,
      `Run \`node ${join(PACKAGE, 'script', 'install.js')} --onnxruntime-node-install=cuda12\`, which downloads it, and have CUDA 12 and cuDNN 9 installed.`,
    );
  }
  return { available: true, detail: `CUDA provider in ${folder}` };
}
