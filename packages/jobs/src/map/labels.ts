/** Labels of workers that run the jobs of maps. */
import { hostname } from 'node:os';

/** They offer the tasks of maps. */
export const MAP_LABEL = 'task:skein-map';

/** They read files where they lie on this machine. */
export const HERE = `machine:${hostname()}`;
