/** The two forms of a model that was trained on a table: as clients call it, and as training steps take it. */
import type { Model } from '@skein/onnx';
import { withoutRawColumns, withRawColumns } from '../data/encoding/raw-columns.ts';
import { blueprintOf } from './blueprint.ts';

/** Takes the columns by name, where any of them has texts; a model of anything else is as it was. */
export function servedModel(model: Model): Model {
  const table = blueprintOf(model)?.table;
  return table === undefined ? model : withRawColumns(model, table);
}

/** Takes `features` again, in which a category is its position; a model of anything else is as it was. */
export function trainingModel(model: Model): Model {
  const table = blueprintOf(model)?.table;
  return table === undefined ? model : withoutRawColumns(model, table);
}
