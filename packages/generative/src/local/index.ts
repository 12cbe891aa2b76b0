/** Language models on this machine. Loaded only by a node that has one. */
export { openLocalProvider, type LocalProvider, type LocalProviderOptions } from './provider.ts';
export type { LocalModelInfo } from './local-model.ts';
export { describeLocalModel, type LocalModelDescription } from './describe.ts';
