/** Writes models in the forms that the loaders read: for examples, tests and measurements. */
export { writeExampleModel } from './example.ts';
export { randomLlama, SHAPE_135M, SHAPE_260K, writeRandomModel } from './random-llama.ts';
export { bytePieces, llamaGguf } from '../gguf/writer.ts';
