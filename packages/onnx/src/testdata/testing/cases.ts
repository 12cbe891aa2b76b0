/** The models and operator cases of the ONNX project, as Debian's libonnx-testdata installs them. */
import { fromBinary } from '@bufbuild/protobuf';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { TensorProtoSchema, type TensorProto } from 'onnx-buf';

const FOLDER = '/usr/share/libonnx-testdata/data';

export interface Case {
  /** Path below the folder: `light/light_vgg19.onnx`, `node/test_add/model.onnx`. */
  readonly name: string;
  readonly bytes: Uint8Array;
  /** The input at a position, as the case's first data set has it; undefined when it is no tensor. */
  input(index: number): TensorProto | undefined;
}

/** @param pattern such as `node/**\/*.onnx`. */
export function casesOf(pattern: string): Case[] {
  return globSync(pattern, { cwd: FOLDER })
    .sort()
    .map((name) => ({
      name,
      bytes: new Uint8Array(readFileSync(join(FOLDER, name))),
      input(index) {
        const file = join(FOLDER, dirname(name), 'test_data_set_0', `input_${index}.pb`);
        if (!existsSync(file)) return undefined;
        try {
          return fromBinary(TensorProtoSchema, readFileSync(file));
        } catch {
          return undefined;
        }
      },
    }));
}
