/** A trained model as clients call it. */
import type { Model } from '@skein/onnx';
import { withRawColumns } from '../data/encoding/raw-columns.ts';
import { blueprintOf } from './blueprint.ts';

/** One that was trained on a table takes the columns by name, where any of them is of texts. */
export function servedModel(model: Model): Model {
  const table = blueprintOf(model)?.table;
  return table === undefined ? model : withRawColumns(model, table);
}
