/** The entry of the `skein` command: caches compiled code between starts, then hands over. */
import { enableCompileCache } from 'node:module';

enableCompileCache();
const { runProcess } = await import('./process.ts');
await runProcess();
