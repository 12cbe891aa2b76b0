/** A folder of one measurement; `remove` takes all that is in it along. */
import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const temporaryFolder = () => mkdtempDisposable(join(tmpdir(), 'skein-bench-'));
