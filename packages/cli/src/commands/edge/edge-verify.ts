/** `skein edge verify`: installs a bundle as a device would, and keeps nothing of it. */
import { openUpdater, type Backend, type Manifest, type Source, type Storage } from '@skein/edge';
import type { Runtime } from '@skein/runtime';
import { formatBytes } from '@skein/api/units';
import { defineCommand, type Context } from '../../command-line/command.ts';
import { argument, text, withDefault } from '../../command-line/option.ts';
import { openSource } from '../../edge/places.ts';
import { readGivenFile } from '../../file.ts';
import { renderFields, renderTable } from '../../output/table.ts';

export interface Verified {
  readonly backend: Backend;
  readonly variant: string | undefined;
  /** Bytes that were read for this backend, signed files included. */
  readonly readBytes: number;
  /** Why a device with this backend refuses the version. */
  readonly reason: string | undefined;
}

export interface Verification {
  readonly name: string;
  readonly place: string;
  readonly manifest: Manifest | undefined;
  readonly backends: readonly Verified[];
}

export const edgeVerify = defineCommand({
  name: 'edge verify',
  summary: 'Check a published bundle as a device does: signatures, digests, golden vectors.',
  details:
    'Reads the place with no trust but in the root file, downloads each chunk, and runs the golden vectors natively and in WebAssembly. Nothing is kept. The exit code is 1 if a device of either kind would refuse the version.',
  examples: {
    'skein edge verify risk --root edge-keys/root.json': 'A bundle in ./published',
    'skein edge verify risk https://models.example/edge --root root.json': 'As a device reads it',
  },
  arguments: {
    name: argument('NAME', 'The bundle.'),
    place: argument('PLACE', 'A folder, a bucket, or an https:// address.', { completes: 'file' }),
  },
  options: {
    root: withDefault(
      text('FILE', 'The root that the application brings.', { completes: 'file' }),
      'edge-keys/root.json',
    ),
  },
  async run(context, { name, place, root }): Promise<Verification> {
    const pinnedRoot = new Uint8Array(await readGivenFile(context.cwd, root));
    const source = await openSource(context, place);
    const { nativeRuntime } = await import('@skein/runtime');
    const { wasmRuntime } = await import('@skein/runtime/wasm');
    let manifest: Manifest | undefined;
    const backends: Verified[] = [];
    for (const [backend, runtime] of [
      ['native', nativeRuntime],
      ['wasm', wasmRuntime],
    ] as const) {
      const found = await installed(context, { name, source, pinnedRoot, backend, runtime });
      manifest ??= found.manifest;
      backends.push(found.verified);
    }
    return { name, place, manifest, backends };
  },
  exitCode: ({ backends }) => (backends.some(({ reason }) => reason !== undefined) ? 1 : 0),
  render({ name, place, manifest, backends }, style) {
    const isFit = backends.every(({ reason }) => reason === undefined);
    const [mark, verb] = isFit ? [style.green('✓'), 'passes'] : [style.red('✗'), 'is refused'];
    return [
      `${mark} ${style.bold(name)}${manifest === undefined ? '' : ` version ${manifest.version}`} in ${place} ${verb}`,
      ...(manifest === undefined
        ? []
        : [
            renderFields(style, [
              ['licence', manifest.licence],
              ['expires', manifest.expires],
              ['runtime', `ONNX Runtime ${manifest.runtime.least} or newer`],
            ]),
          ]),
      '',
      renderTable(style, backends, [
        ['BACKEND', ({ backend }) => backend],
        ['VARIANT', ({ variant }) => variant ?? '–'],
        ['READ', ({ readBytes }) => formatBytes(readBytes), 'right'],
        ['GOLDEN VECTORS', ({ reason }) => reason ?? 'pass'],
      ]),
    ].join('\n');
  },
});

async function installed(
  context: Context,
  given: {
    readonly name: string;
    readonly source: Source;
    readonly pinnedRoot: Uint8Array<ArrayBuffer>;
    readonly backend: Backend;
    readonly runtime: Runtime;
  },
): Promise<{ readonly manifest: Manifest | undefined; readonly verified: Verified }> {
  const { name, source, pinnedRoot, backend, runtime } = given;
  const { onnxRuntimeVersion } = await import('@skein/train/native');
  let readBytes = 0;
  const counted: Source = {
    place: source.place,
    async read(path, maxBytes) {
      context.signal.throwIfAborted();
      const bytes = await source.read(path, maxBytes);
      readBytes += bytes?.byteLength ?? 0;
      return bytes;
    },
  };
  const device = await openUpdater({
    storage: inMemory(),
    source: counted,
    pinnedRoot,
    name,
    backend,
    runtimeVersion: onnxRuntimeVersion,
    open: (bytes) =>
      runtime.open({ bytes: bytes.slice() }, { device: 'cpu', threads: 1, isolation: 'thread' }),
  });
  const outcome = await device.update();
  const reason = outcome.kind === 'refused' ? outcome.reason : undefined;
  const { manifest, variant } = device.active ?? {};
  return { manifest, verified: { backend, variant: variant?.name, readBytes, reason } };
}

function inMemory(): Storage {
  const files = new Map<string, Uint8Array<ArrayBuffer>>();
  return {
    read: async (path) => files.get(path),
    write: async (path, bytes) => void files.set(path, bytes),
    async remove(path) {
      for (const name of files.keys()) {
        if (name === path || name.startsWith(`${path}/`)) files.delete(name);
      }
    },
  };
}
