/** The entry of the child process that holds one local model. */
import { SkeinError } from '@skein/api';
import { serve, type CallContext } from '@skein/calls/serve';
import type { GenerateEvent, GenerateRequest } from '../contract.ts';
import { openGgufModel } from './gguf/gguf-model.ts';
import {
  openOnnxModel,
  type LocalModel,
  type LocalModelInfo,
  type LocalModelOptions,
} from './local-model.ts';

export interface ProcessRequest {
  readonly request: GenerateRequest;
  readonly gapMs: number;
}

let model: LocalModel | undefined;

const calls = {
  async open(options: LocalModelOptions): Promise<LocalModelInfo> {
    const openModel = options.path.endsWith('.gguf') ? openGgufModel : openOnnxModel;
    model = await openModel(options);
    return model.info;
  },
  generate: (
    { request, gapMs }: ProcessRequest,
    { signal }: CallContext,
  ): AsyncIterable<GenerateEvent> => model!.generate(request, signal, gapMs),
  countTokens: (request: GenerateRequest): number => model!.countTokens(request),
  state: () => ({ ...model!.state, pid: process.pid }),
};
export type ModelCalls = typeof calls;
serve(calls, [SkeinError]);
