/** Language models on this machine. Loaded only by a node that has one. */
export { openLocalProvider, type LocalProvider, type LocalProviderOptions } from './provider.ts';
export type { LocalModelInfo } from './local-model.ts';
export { isModelFolder } from './model/folder.ts';
export { readGguf, type GgufModel } from './gguf/header.ts';
