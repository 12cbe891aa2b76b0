export {
  Chart,
  ChartNumbers,
  alignedData,
  type ChartColour,
  type ChartLine,
  type ChartProps,
} from './chart.tsx';
export { commands } from './commands.ts';
export { Confirmation, confirmed, Modal, type Question } from './dialog.tsx';
export { follow, useEvents, type Listener } from './follow.ts';
export {
  ago,
  bytes,
  clock,
  cores,
  duration,
  metric,
  milliseconds,
  percent,
  perSecond,
  spaced,
  took,
  words,
} from './format.ts';
export { useClock, useFresh, type Freshness, type Loaded, type Poke } from './fresh.ts';
export {
  ActionButton,
  Chip,
  Empty,
  Facts,
  Heading,
  Moment,
  Progress,
  Table,
  Trouble,
  type Changing,
  type Fact,
  type Failing,
  type Of,
  type Tone,
  type WithChildren,
} from './parts.tsx';
export { currentRoute, linkTo, routeOf, type Route } from './route.ts';
export { explanationOf, fixOf, isAboutKey, openSession, type Session } from './session.ts';
export { Store, useStore } from './store.ts';
