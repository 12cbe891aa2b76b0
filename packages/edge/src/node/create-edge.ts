/** A model on a device with Node: the bundle on its disk, and each version in a child process. */
import { nativeRuntime } from '@skein/runtime';
import { env } from 'onnxruntime-common';
import type { EdgeServer, LocalSession, ReportingEdge, ReportOptions } from '../hybrid/answers.ts';
import { openEdge } from '../hybrid/edge.ts';
import { httpSource, type Bytes, type Source } from '../trust/source.ts';
import { diskStorage } from './disk-storage.ts';

export interface EdgeOptions {
  /** Name of the bundle, and of the deployment on the node. */
  readonly model: string;
  /** Where the publisher's files are: an address, or another source. */
  readonly source: Source | string;
  /** The root that the application brings. */
  readonly pinnedRoot: Bytes;
  /** Folder of this device: one process at a time. */
  readonly folder: string;
  /** The node that answers in place of the device. Default: none. */
  readonly server?: EdgeServer | undefined;
  /**
   * Makes the device a member of a node, to which it reports versions, counts and times, and never an input. Default: it
   * reports to no node.
   */
  readonly report?: ReportOptions | undefined;
  /** Threads of the session. Default: 1. */
  readonly threads?: number;
}

/** Opens what is installed, without a network. */
export function createEdge(options: EdgeOptions): Promise<ReportingEdge> {
  const { model, source, pinnedRoot, folder, server, report, threads = 1 } = options;
  return openEdge({
    name: model,
    source: typeof source === 'string' ? httpSource(source) : source,
    pinnedRoot,
    server,
    report,
    storage: diskStorage(folder),
    backend: 'native',
    runtimeVersion: env.versions.node ?? env.versions.common,
    async open(bytes): Promise<LocalSession> {
      const options = { device: 'cpu', threads, isolation: 'process' } as const;
      return {
        ...(await nativeRuntime.open({ bytes }, options)),
        runsOn: { backend: 'native', threads },
      };
    },
  });
}
