/**
 * Facts that a model keeps about its training: the encoding of its rows, the names of its classes,
 * and the value that was compared with labels. They stand in the model's own metadata, so that a
 * trained model can be trained further, and a server can interpret its outputs.
 */
import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';
import { withGraph, type Model } from '@skein/onnx';
import { modelError } from '../train-error.ts';
import type { ArrayEncoding } from '../data/encoding/array-encoding.ts';
import type { Encoder } from '../data/encoding/encoder.ts';
import type { TaskKind } from './task.ts';

/** Labels of a regression are compared as (label − mean) / deviation. */
export interface LabelScale {
  readonly mean: number;
  readonly deviation: number;
}

export interface Blueprint {
  readonly task: TaskKind;
  /** Names of the classes, in their order; empty for a regression. */
  readonly classes: readonly string[];
  /** The encoding of raw rows; absent when the network takes raw rows. */
  readonly table?: Encoder;
  readonly arrays?: ArrayEncoding;
  /** The value that is compared with the labels. */
  readonly prediction: string;
  /** Axis of the classes in it; default: 1, behind the batch. */
  readonly axis?: number;
  readonly scale?: LabelScale;
}

const KEY = 'skein.training';

/** @throws TrainError `model` when the stored blueprint is damaged. */
export function blueprintOf(model: Model): Blueprint | undefined {
  const text = model.metadataProps.find(({ key }) => key === KEY)?.value;
  if (text === undefined) return undefined;
  try {
    return readJson(text, JSON_BOUNDS.stored) as Blueprint;
  } catch (error) {
    throw modelError(`The model's metadata '${KEY}' are not JSON.`, { cause: error });
  }
}

/** The same model with another blueprint. */
export function withBlueprint(model: Model, blueprint: Blueprint): Model {
  const copy = withGraph(model, {});
  copy.metadataProps = [
    ...model.metadataProps.filter(({ key }) => key !== KEY),
    { $typeName: 'onnx.StringStringEntryProto', key: KEY, value: JSON.stringify(blueprint) },
  ];
  return copy;
}
