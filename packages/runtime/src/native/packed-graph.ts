/** The graph of a model above 2 GiB, whose weights ONNX Runtime maps from the file. */
import { closeSync, openSync, readSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { LARGEST_GRAPH, messageBytesOf, OWN_NAME, PREFIX_BYTES } from '@skein/onnx/packed-form';

export interface PackedGraph {
  readonly bytes: Uint8Array;
  /** The folder of the file, which its tensors name. */
  readonly folder: string;
}

/** @returns undefined for a file of another form. @throws Error where its graph is too large, or its name is no digest. */
export function packedGraph(path: string): PackedGraph | undefined {
  const file = openSync(path, 'r');
  try {
    const prefix = Buffer.alloc(PREFIX_BYTES);
    readSync(file, prefix);
    const length = messageBytesOf(prefix);
    if (length === undefined) return undefined;
    if (length > LARGEST_GRAPH) throw new Error(`The graph in ${path} has ${length} bytes.`);
    const name = Buffer.from(basename(path));
    if (name.byteLength !== OWN_NAME.length) throw new Error(`${path} is not named by its digest.`);
    const bytes = Buffer.from(new ArrayBuffer(length));
    readSync(file, bytes, 0, length, PREFIX_BYTES);
    let at = -1;
    while ((at = bytes.indexOf(OWN_NAME, at + 1)) >= 0) name.copy(bytes, at);
    return { bytes, folder: dirname(path) };
  } finally {
    closeSync(file);
  }
}
