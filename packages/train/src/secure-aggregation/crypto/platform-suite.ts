/**
 * The suite of this platform. In Node its synchronous calls: a round makes thousands of calls of a
 * few microseconds each, for which a promise and a hop to another thread cost more than the work.
 * Elsewhere WebCrypto, with @noble/curves for a browser that lacks a curve.
 */
import { nodeSuite } from './node.ts';
import type { Suite } from './suite.ts';
import { webSuite } from './web.ts';

export const suite: Suite = nodeSuite() ?? webSuite;
