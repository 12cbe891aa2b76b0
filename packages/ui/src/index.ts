export { Chart, ChartNumbers, type ChartColour, type ChartLine } from './chart.tsx';
export { commands } from './commands.ts';
export { Confirmation, confirmed, Modal } from './dialog.tsx';
export { follow, useEvents } from './follow.ts';
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
export { useClock, useFresh, type Loaded } from './fresh.ts';
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
  type Failing,
  type Of,
  type Tone,
  type WithChildren,
} from './parts.tsx';
export { currentRoute, linkTo, routeOf, type Route } from './route.ts';
export { explanationOf, fixOf, isAboutKey, openSession, type Session } from './session.ts';
export { Store, useStore } from './store.ts';
