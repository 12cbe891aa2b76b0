/** Native ONNX Runtime: one session per worker thread or child process. */
import type { ModelSource, Runtime, Session, SessionOptions } from '../contract.ts';
import { processHost } from './process-host.ts';
import { openSession } from './session.ts';
import { threadHost } from './thread-host.ts';

export const nativeRuntime: Runtime = {
  name: 'native',
  open(model: ModelSource, options: SessionOptions): Promise<Session> {
    const { device, threads, isolation } = options;
    const host = isolation === 'thread' ? threadHost() : processHost();
    return openSession(host, { model, device, threads }, []);
  },
};
