/**
 * Dropout: Y = X · mask / (1 − ratio) while training, else Y = X. The mask is the one that the
 * forward node drew (Srivastava et al., 2014).
 */
import { elementTypeNumber } from '../../element-type.ts';
import { values } from '../../tensor.ts';
import type { GradientRule } from '../rule.ts';

/** What the ratio is when no input says so. */
const RATIO = 0.5;

export const Dropout: GradientRule = (node, graph) => {
  const dy = node.outputGradients[0]!;
  const [x, ratio = '', training = ''] = node.inputs as [string, string?, string?];
  // Before opset 12 Dropout has no training form, and without the input it is not in it.
  if (graph.opset < 12 || training === '') return [dy];
  const mode = graph.constantOf(training);
  if (mode !== undefined && mode.type === 'bool' && values(mode)[0] === 0) return [dy];
  const to = elementTypeNumber(graph.typeOf(x));
  const kept = graph.emit('Mul', [dy, graph.emit('Cast', [node.demand(1)], { to })]);
  if (ratio === '' && mode !== undefined) {
    return [graph.emit('Div', [kept, graph.scalar(1 - RATIO, x)])];
  }
  const share =
    ratio === ''
      ? graph.scalar(1 - RATIO, x)
      : graph.emit('Sub', [graph.scalar(1, x), graph.emit('Cast', [ratio], { to })]);
  const scaled = graph.emit('Div', [kept, share]);
  return [mode === undefined ? graph.emit('Where', [training, scaled, dy]) : scaled];
};
