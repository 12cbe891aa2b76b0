/** Language models on this machine. Loaded only by a node that has one. */
export { openLocalProvider } from './provider.ts';
export { describeLocalModel, type LocalModelDescription } from './describe.ts';
