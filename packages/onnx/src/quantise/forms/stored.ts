/** Weights as int8 with a scale per output channel. */
import { create } from '@bufbuild/protobuf';
import { NodeProtoSchema, type NodeProto } from 'onnx-buf';
import { tensor } from '../../tensor/tensor.ts';
import type { GraphEdit } from '../graph-edit.ts';
import type { KeptGrid } from '../kept-grid.ts';
import type { Layer, LayerWeights } from '../layers.ts';
import { int8Tensor, perChannel, type IntegerWeights } from '../weights.ts';

/** TensorProto.DataType of float32. */
const FLOAT = 1;

interface Constants {
  readonly integers: string;
  readonly scale: string;
  readonly of: IntegerWeights;
}

export class StoredWeights {
  readonly #edit: GraphEdit;
  readonly #bits: number;
  readonly #kept: KeptGrid | undefined;
  /** Layers may share weights: they are stored once. */
  readonly #constants = new Map<string, Constants>();
  readonly #restored = new Map<string, string>();

  constructor(edit: GraphEdit, bits: number, kept?: KeptGrid) {
    this.#edit = edit;
    this.#bits = bits;
    this.#kept = kept;
  }

  /** The integers and their scales, as constants. */
  constants(weights: LayerWeights): Constants {
    const key = keyOf(weights);
    const found = this.#constants.get(key);
    if (found !== undefined) return found;
    const { name, shape } = weights;
    const of = perChannel(weights, this.#bits, this.#kept?.scales(name));
    const made = {
      integers: this.#edit.constant(`${name}/int8`, int8Tensor(shape, of.integers)),
      scale: this.#edit.constant(`${name}/scale`, tensor('float32', [of.scales.length], of.scales)),
      of,
    };
    this.#constants.set(key, made);
    return made;
  }

  /** The weights as floats again, in the form that a runtime fuses with a product of integers. */
  restored(weights: LayerWeights): string {
    return this.#once(`fused ${keyOf(weights)}`, () => {
      const { integers, scale, of } = this.constants(weights);
      const { name, axis } = weights;
      // Without a zero point, ONNX Runtime does not fuse it.
      const zeros = int8Tensor([of.scales.length], new Int8Array(of.scales.length));
      const zero = this.#edit.constant(`${name}/zero`, zeros);
      return this.#edit.node('DequantizeLinear', [integers, scale, zero], `${name}/float`, {
        axis,
      });
    });
  }

  /**
   * The weights as floats again, in the form that a runtime computes once, while it loads the model:
   * ONNX Runtime leaves a DequantizeLinear for every run.
   */
  unpacked(weights: LayerWeights): string {
    return this.#once(`loaded ${keyOf(weights)}`, () => {
      const { name, axis, shape } = weights;
      const { integers, of } = this.constants(weights);
      const float = this.#edit.node('Cast', [integers], `${name}/cast`, { to: FLOAT });
      const spread = shape.map((size, at) => (at === axis ? size : 1));
      const scale = this.#edit.constant(`${name}/factor`, tensor('float32', spread, of.scales));
      return this.#edit.node('Mul', [float, scale], `${name}/float`);
    });
  }

  #once(key: string, make: () => string): string {
    const found = this.#restored.get(key);
    if (found !== undefined) return found;
    const made = make();
    this.#restored.set(key, made);
    return made;
  }

  /** Adds the node, which reads the unpacked weights. */
  store(node: NodeProto, { weights }: Layer): void {
    const input = [...node.input];
    for (const each of weights) input[each.input] = this.unpacked(each);
    this.#edit.keep(Object.assign(create(NodeProtoSchema), node, { input }));
  }
}

const keyOf = ({ name, axis }: LayerWeights): string => `${axis} ${name}`;
