/** The tools of a statement whose jobs run here, one after the other, over a folder of artifacts. */
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { openEngines, type Engines } from '@skein/data';
import type { RemoteAccess, RemoteFile } from '@skein/data/data-set';
import type { BuiltinContext } from '../../tasks/builtin.ts';
import { openCopies, type CopiesOptions } from '../remote/copies.ts';
import type { Tools } from '../statement-tools.ts';

const MIB = 2 ** 20;

export interface InlineTools extends AsyncDisposable {
  readonly tools: (slots: number, pieceBytes: number) => Tools;
  readonly pathOf: (digest: string) => string;
  readonly engines: Engines;
  /** Lines of the logs of all jobs. */
  readonly logs: readonly string[];
}

export function inlineTools(
  folder: string,
  options: Partial<CopiesOptions> & { readonly isByFile?: boolean } = {},
  engines: Engines = openEngines(),
): InlineTools {
  const remote = join(folder, 'remote');
  mkdirSync(remote);
  const copies = openCopies({ folder: remote, ...options });
  const ask = engines.of('tests');
  const pathOf = (digest: string): string => join(folder, digest);
  const resources = { cores: 1, memoryBytes: 512 * MIB };
  let jobs = 0;
  const held: (() => Promise<void>)[] = [];
  const logs: string[] = [];
  function contextOf(scratch: string): BuiltinContext {
    const context = {
      folder: scratch,
      ask,
      log: (line: string) => void logs.push(line),
      signal: new AbortController().signal,
      progress: () => undefined,
      async remote(file: RemoteFile, access: RemoteAccess) {
        const copy = await copies.use('tests', file, access, new AbortController().signal);
        held.push(copy.release);
        return copy;
      },
      artifacts: {
        pathOf: async (digest: string) => pathOf(digest),
        async putFile(file: string) {
          const content = readFileSync(file);
          const digest = createHash('sha256').update(content).digest('hex');
          if (!existsSync(pathOf(digest))) copyFileSync(file, pathOf(digest));
          return { digest, sizeBytes: content.byteLength };
        },
      },
    };
    return context as unknown as BuiltinContext;
  }
  return {
    engines,
    logs,
    pathOf,
    tools: (slots, pieceBytes) => ({
      slots,
      pieceBytes,
      isByFile: options.isByFile ?? false,
      memoryBytes: resources.memoryBytes,
      plan: [],
      ask,
      async run(_stage, task, inputs) {
        const outputs = [];
        for (const input of inputs) {
          const scratch = join(folder, `job-${++jobs}`);
          mkdirSync(scratch);
          const given = task.input.parse({ ...input, resources, edition: 0 });
          try {
            outputs.push(task.output.parse(await task.run(given, contextOf(scratch))));
          } finally {
            for (const release of held.splice(0)) await release();
            rmSync(scratch, { recursive: true });
          }
        }
        return outputs;
      },
    }),
    [Symbol.asyncDispose]: () => engines[Symbol.asyncDispose](),
  };
}
