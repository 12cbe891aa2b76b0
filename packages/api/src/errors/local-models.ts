/** Errors of language models that run on the node itself. */
import { CONFLICT, type ErrorRow, INVALID } from './row.ts';

export const LOCAL_MODEL_ERRORS = {
  LANGUAGE_MODEL_INVALID: {
    ...INVALID,
    meaning:
      'The folder or file is not a language model that can be run: a part is missing, truncated, or of another kind.',
    fix: 'Download or export the model again, whole: model.onnx with its data files, config.json or genai_config.json, tokenizer.json; or one .gguf file.',
  },
  GGUF_UNAVAILABLE: {
    ...CONFLICT,
    meaning:
      'The model is a GGUF file, and its engine, the package node-llama-cpp, is not installed.',
    fix: 'Run `NODE_LLAMA_CPP_SKIP_DOWNLOAD=true npm install node-llama-cpp` in the folder of the node, or use an ONNX export of the model.',
  },
} as const satisfies Record<string, ErrorRow>;
