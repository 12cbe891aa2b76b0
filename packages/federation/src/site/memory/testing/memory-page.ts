/** The cases in a page: `tryCase(name)` rejects when the memory breaks its promise. And a memory to hold. */
import { openIndexedMemory } from '../indexed-memory.ts';
import { MEMORY_CASES } from './memory-cases.ts';

Object.assign(globalThis, {
  openIndexedMemory,
  tryCase: (name: string) => MEMORY_CASES[name]!(() => openIndexedMemory(`site ${name}`)),
});
